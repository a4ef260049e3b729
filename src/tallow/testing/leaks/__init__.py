"""The check that nothing looks ahead: of indicators, screens, whatever makes rows of candles."""
