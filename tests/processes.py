"""Several processes on this machine that train together."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

from helpers import TESTS


def environments(backend, count):
    """The variables that a launcher would set for each process."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in found]
    addresses = [f"127.0.0.1:{port}" for port in ports]
    for index in range(count):
        task = {"type": "worker", "index": index}
        yield {
            "jax": {
                "KERAS_DISTRIBUTION_JOB_ADDRESSES": addresses[0],
                "KERAS_DISTRIBUTION_NUM_PROCESSES": str(count),
                "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
            },
            "tensorflow": {
                "TF_CONFIG": json.dumps(
                    {"cluster": {"worker": addresses}, "task": task}
                )
            },
            "torch": {
                "RANK": str(index),
                "LOCAL_RANK": str(index),
                "WORLD_SIZE": str(count),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(ports[0]),
            },
        }[backend]


class Processes:
    """Processes of one script, which end with the `with` block or before."""

    def __init__(self, *arguments, backend, count=2, **environment):
        self.folder = tempfile.TemporaryDirectory()
        self.outputs, self.running = [], []
        for index, own in enumerate(environments(backend, count)):
            path = os.path.join(self.folder.name, f"{index}.txt")
            self.outputs.append(path)
            with open(path, "w") as output:
                process = subprocess.Popen(
                    [sys.executable, *map(str, arguments)],
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={
                        **os.environ,
                        "KERAS_BACKEND": backend,
                        "TF_CPP_MIN_LOG_LEVEL": "3",
                        "CUDA_VISIBLE_DEVICES": "",
                        "OMP_NUM_THREADS": "1",
                        "PYTHONPATH": os.pathsep.join(
                            [str(TESTS), str(TESTS.parent)]
                        ),
                        **own,
                        **environment,
                    },
                )
            self.running.append(process)

    def output(self, index):
        with open(self.outputs[index], errors="replace") as output:
            return output.read()

    def wait_for(self, index, text, timeout):
        """Wait until a process says something."""
        end = time.monotonic() + timeout
        while text not in self.output(index):
            assert time.monotonic() < end, self.output(index)
            time.sleep(0.1)

    def end(self, index, timeout):
        """Exit status of a process; raises if it runs too long."""
        return self.running[index].wait(timeout)

    def results(self, timeout=240):
        """The last line of every process, as JSON."""
        for index in range(len(self.running)):
            assert self.end(index, timeout) == 0, self.output(index)
        count = range(len(self.running))
        return [json.loads(self.output(i).splitlines()[-1]) for i in count]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.running:
            process.kill()
            process.wait()
        self.folder.cleanup()
