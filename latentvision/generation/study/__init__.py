"""The models that the paper compares LatentLM with on the same backbone: GIVT, VQ softmax, MAR."""
