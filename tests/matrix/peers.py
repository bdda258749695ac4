"""A peer: a process that does what each line says, and answers each with a line."""

import os
import queue
import subprocess
import tempfile
import threading

# More than what a peer itself waits for at most.
ANSWER_SECONDS = 30
STDERR_SHOWN = 2000


class PeerFailed(Exception):
    """The peer ended, or does not answer."""


class Peer:
    def __init__(self, language, label):
        self.language = language
        self.label = label
        self.transcript = []
        self.process = None
        self.errors = None

    def start(self):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            self.language.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            bufsize=1,
        )
        self.answers = queue.Queue()
        threading.Thread(target=self._read, args=(self.process, self.answers), daemon=True).start()
        self.pending = 0
        return self.ask("hello")

    @staticmethod
    def _read(process, answers):
        for line in process.stdout:
            answers.put(line.rstrip("\n"))
        answers.put(None)

    def begin(self, command):
        self.transcript.append(f"> {command}")
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise PeerFailed(f"{self.label} takes no command: {error}") from None
        self.pending += 1

    def end(self):
        try:
            answer = self.answers.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            self.transcript.append("< (nothing)")
            raise PeerFailed(f"{self.label} did not answer within {ANSWER_SECONDS} s") from None
        if answer is None:
            status = self.process.wait()
            self.transcript.append(f"< (ended with status {status})")
            raise PeerFailed(f"{self.label} ended with status {status}")
        self.pending -= 1
        self.transcript.append(f"< {answer}")
        return answer

    def wait_answer(self, seconds):
        """Waits for an answer without taking it; whether it is there."""
        try:
            answer = self.answers.get(timeout=seconds)
        except queue.Empty:
            return False
        # Only this thread takes answers, and one is outstanding at a time: the order is kept.
        self.answers.put(answer)
        return True

    def ask(self, command):
        self.begin(command)
        return self.end()

    def reset(self):
        """Closes what a scenario left behind, after the answers that are still due."""
        while self.pending:
            self.end()
        answer = self.ask("reset")
        if answer != "ok":
            raise PeerFailed(f"{self.label} cannot reset: {answer}")

    def stop(self):
        """Ends it, as it likes or not, and returns its exit status."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        try:
            process.stdin.close()
        except OSError:
            # What it did not read is of no interest any more.
            pass
        try:
            return process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def stderr(self):
        """The end of what it said on stderr."""
        size = os.fstat(self.errors.fileno()).st_size
        said = os.pread(self.errors.fileno(), STDERR_SHOWN, max(0, size - STDERR_SHOWN))
        return said.decode("utf-8", "replace").strip()
