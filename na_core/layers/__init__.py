"""Photo and boxes to layers: outline, surface and plate, once per photo."""
