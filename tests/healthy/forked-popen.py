# A forked copy forgets what its parent waits for.
import gc, os, subprocess, sys
one = subprocess.Popen(["sleep", "0.3"])
pid = os.fork()
if pid == 0:
    del one
    gc.collect()
    os._exit(0)
os.waitpid(pid, 0)
print(one.wait())
