"""Every feature family against SciPy, scikit-image or plain NumPy."""
