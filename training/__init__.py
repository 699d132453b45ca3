"""How the shipped reader and its calibration are made; never imported by the product."""
