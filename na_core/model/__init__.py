"""The generator: encoder, tokenizer, VAE, UNet and the pipeline that joins them."""
