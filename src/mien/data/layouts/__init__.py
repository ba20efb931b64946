"""The forms in which AffectNet lies on disks, one reader each."""
