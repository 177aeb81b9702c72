"""A task without torch whose trials leave a line for every epoch they train, on a file that survives them."""

import os
import time


class Chaotic:
    """Epochs of a smooth function, with a checkpoint after every second one."""

    def __init__(self, log: str, epochs: int = 8, pause_s: float = 0.05) -> None:
        self.log = log
        self.epochs = epochs
        self.pause_s = pause_s

    def profile(self, params):
        return {"size_mb": params["width"] / 10}

    def train(self, params, trial):
        state = trial.load_checkpoint() or {"epoch": 0, "score": 0.0}
        while state["epoch"] < self.epochs:
            time.sleep(self.pause_s)
            trial.batch_end()  # a worker that was stopped past its lease learns it here
            epoch = state["epoch"] + 1
            state = {"epoch": epoch, "score": state["score"] + (1 - (params["rate"] - 0.3) ** 2)}
            self._note(trial.number, epoch)
            accuracy = state["score"] / self.epochs
            trial.report(epoch, {"accuracy": accuracy})
            if epoch % 2 == 0:
                trial.save_checkpoint(state)
            if trial.should_prune():
                break
        return {"accuracy": state["score"] / self.epochs}

    def _note(self, number: int, epoch: int) -> None:
        # One write of a short line to a file opened for appending is whole, whoever else writes.
        handle = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{time.time():.6f} {os.getpid()} {number} {epoch}\n".encode())
        os.close(handle)
