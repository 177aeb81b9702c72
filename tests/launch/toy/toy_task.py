"""A task without torch: size known before training, score a smooth function of the parameters."""

import time


class Toy:
    def __init__(self, pause_s: float = 0.0) -> None:
        self.pause_s = pause_s

    def profile(self, params):
        return {"size_mb": params["width"] / 10}

    def train(self, params, trial):
        accuracy = 0.0
        for step in range(1, 4):
            time.sleep(self.pause_s)
            accuracy = 1 - (params["rate"] - 0.3) ** 2 - 0.5 / (params["width"] + step)
            trial.report(step, {"accuracy": accuracy})
            if trial.should_prune():
                break
        return {"accuracy": accuracy}
