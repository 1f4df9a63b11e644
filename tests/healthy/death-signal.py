# A child with a death signal, of a thread; the whole process ends.
import os, subprocess, threading, time

def work():
    subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "sleep", "10"]).wait()

subprocess.run(["true"])
threading.Thread(target=work, daemon=True).start()
time.sleep(0.5)
os._exit(3)
