"""What is deployed: images, and manifests of a cluster."""
