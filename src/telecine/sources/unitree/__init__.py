"""Episode folders of Unitree's xr_teleoperate."""
