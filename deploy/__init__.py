"""What brings the product to where it runs: archives, bundles, scripts. Not part of the product."""
