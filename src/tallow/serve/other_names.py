"""What other libraries call their indicators, for the page of what is missing here.

Functions of arithmetic, of whole columns, and helpers of the languages are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tallow.core.operator import Library

LIBRARIES: Final[Mapping[Library, str]] = {
    "talib": "TA-Lib 0.8",
    "pine": "Pine 6",
    "pandas_ta": "pandas-ta 0.4",
}

TALIB: Final = """
AC ACCBANDS AD ADOSC ADR ADX ADXR AO APO AROON AROONOSC ATR AVGDEV AVGPRICE BBANDS BETA BOP CCI CMF
CMO CMOU COPPOCK CORREL CVI DEMA DONCHIAN DPO DX EFI EMA ER ERI FOSC FRACTAL HA HMA HT_DCPERIOD
HT_DCPHASE HT_PHASOR HT_SINE HT_TRENDLINE HT_TRENDMODE IMI KAMA KC KDJ LINEARREG LINEARREG_ANGLE
LINEARREG_INTERCEPT LINEARREG_SLOPE MA MACD MACDEXT MACDFIX MAMA MARKETFI MASSI MAVP MEDPRICE MFI
MIDPOINT MIDPRICE MINUS_DI MINUS_DM MOM NATR NVI OBV PERCENTILE PERCENTRANK PLUS_DI PLUS_DM PPO PVI
PVO PVT QSTICK RMA ROC ROCP ROCR ROCR100 RSI RVI RVOL SAR SAREXT SMA SMI STDDEV STOCH STOCHF
STOCHRSI SUPERTREND T3 TEMA TRANGE TRIMA TRIX TSF TSI TYPPRICE ULTOSC VAR VHF VORTEX VWAP VWMA WAD
WCLPRICE WILLR WMA ZLEMA
CDL2CROWS CDL3BLACKCROWS CDL3INSIDE CDL3LINESTRIKE CDL3OUTSIDE CDL3STARSINSOUTH CDL3WHITESOLDIERS
CDLABANDONEDBABY CDLADVANCEBLOCK CDLBELTHOLD CDLBREAKAWAY CDLCLOSINGMARUBOZU CDLCONCEALBABYSWALL
CDLCOUNTERATTACK CDLDARKCLOUDCOVER CDLDOJI CDLDOJISTAR CDLDRAGONFLYDOJI CDLENGULFING
CDLEVENINGDOJISTAR CDLEVENINGSTAR CDLGAPSIDESIDEWHITE CDLGRAVESTONEDOJI CDLHAMMER CDLHANGINGMAN
CDLHARAMI CDLHARAMICROSS CDLHIGHWAVE CDLHIKKAKE CDLHIKKAKEMOD CDLHOMINGPIGEON CDLIDENTICAL3CROWS
CDLINNECK CDLINVERTEDHAMMER CDLKICKING CDLKICKINGBYLENGTH CDLLADDERBOTTOM CDLLONGLEGGEDDOJI
CDLLONGLINE CDLMARUBOZU CDLMATCHINGLOW CDLMATHOLD CDLMORNINGDOJISTAR CDLMORNINGSTAR CDLONNECK
CDLPIERCING CDLRICKSHAWMAN CDLRISEFALL3METHODS CDLSEPARATINGLINES CDLSHOOTINGSTAR CDLSHORTLINE
CDLSPINNINGTOP CDLSTALLEDPATTERN CDLSTICKSANDWICH CDLTAKURI CDLTASUKIGAP CDLTHRUSTING CDLTRISTAR
CDLUNIQUE3RIVER CDLUPSIDEGAP2CROWS CDLXSIDEGAP3METHODS
"""

PINE: Final = """
hl2 hlc3 hlcc4 ohlc4 ta.accdist ta.alma ta.atr ta.bb ta.bbw ta.cci ta.cmo ta.cog ta.correlation
ta.dev ta.dmi ta.ema ta.hma ta.iii ta.kc ta.kcw ta.linreg ta.macd ta.median ta.mfi ta.mode ta.mom
ta.nvi ta.obv ta.percentile_linear_interpolation ta.percentile_nearest_rank ta.percentrank
ta.pivot_point_levels ta.pivothigh ta.pivotlow ta.pvi ta.pvt ta.rci ta.rma ta.roc ta.rsi ta.sar
ta.sma ta.stdev ta.stoch ta.supertrend ta.swma ta.tr ta.tsi ta.variance ta.vwap ta.vwma ta.wad
ta.wma ta.wpr ta.wvad
"""

PANDAS_TA: Final = """
aberration accbands ad adosc adx alligator alma amat ao aobv apo aroon atr bbands bias bop brar cci
cfo cg chop cksp cmf cmo coppock cti decay dema donchian dpo ebsw efi ema entropy eom er eri fisher
fwma ha hilo hl2 hlc3 hma hwc hwma ichimoku inertia jma kama kc kdj kst kurtosis kvo linreg
log_return macd mad massi mcgd median mfi midpoint midprice mom natr nvi obv ohlc4 pdist
percent_return pgo ppo psar psl pvi pvo pvol pvr pvt pwma qqe qstick quantile reflex rma roc rsi rsx
rvgi rvi sinwma skew slope sma smi smma squeeze squeeze_pro ssf ssf3 stc stdev stoch stochf stochrsi
supertrend swma t3 td_seq tema thermo tos_stdevall trendflex trima trix true_range tsi ttm_trend ui
uo variance vhf vidya vortex vwap vwma wb_tsv wcp willr wma zlma zscore
"""

NAMES: Final[Mapping[Library, tuple[str, ...]]] = {
    "talib": tuple(TALIB.split()),
    "pine": tuple(PINE.split()),
    "pandas_ta": tuple(PANDAS_TA.split()),
}
