"""Published benchmarks of drawing and seeing, each as it was published and without its defects."""
