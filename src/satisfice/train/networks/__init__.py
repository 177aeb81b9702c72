"""What the torch families share: plans, modules, optimizers and the training loop."""
