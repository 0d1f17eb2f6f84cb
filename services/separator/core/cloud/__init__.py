"""Engines that others run: what is sent, what comes back, and what is written down so that nothing is paid twice."""
