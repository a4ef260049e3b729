"""Where one value of a bar comes from: asked of an engine, answered as one record."""
