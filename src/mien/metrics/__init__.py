"""Pure functions of numbers: rate, distortion, recognition, Bjontegaard, bootstrap."""
