"""Training: caching what pairs of frames give the network, the VAE, and the decoder."""
