"""An independent judge of Live sets: what genuine files have in common, and sets to try it on."""
