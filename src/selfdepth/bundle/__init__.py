"""Bundle adjustment: points followed through many images, and the cameras that see them where they are."""
