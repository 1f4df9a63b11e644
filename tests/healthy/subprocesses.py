import os, signal, subprocess as s, sys, time
print(s.run(["sh", "-c", "exit 3"]).returncode)
print(s.run(["cat"], input=b"fed", capture_output=True))
print(s.check_output("echo out; exit 0", shell=True))
try:
    s.run(["sleep", "10"], timeout=0.1)
except s.TimeoutExpired:
    print("timed out")
try:
    s.Popen(["/nonexistent/program"])
except FileNotFoundError:
    print("not found")
many = [s.Popen(["sh", "-c", f"sleep 0.{n}; exit {n}"]) for n in range(5)]
print([one.wait() for one in many])
one = s.Popen(["sleep", "10"])
one.terminate()
print(one.wait())
one.terminate()
print(one.wait(), one.poll())
one = s.Popen(["sleep", "0.2"])
while one.poll() is None:
    time.sleep(0.01)
print(one.returncode)
one = s.Popen(["sleep", "0.2"])
try:
    one.wait(timeout=0.05)
except s.TimeoutExpired:
    print(one.wait(timeout=5))
with s.Popen(["sh", "-c", "echo a; echo b"], stdout=s.PIPE, text=True) as one:
    print(list(one.stdout))
# A job that is waited for when there is time.
one = s.Popen(["true"])
time.sleep(1.3)
print(one.wait())
s.Popen(["sleep", "0.2"], start_new_session=True)
print(os.system("exit 4") >> 8)
print(os.popen("echo popen").read())
for spawn in (os.posix_spawn, os.posix_spawnp):
    pid = spawn("/bin/sh", ["sh", "-c", "exit 5"], os.environ)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(os.spawnlp(os.P_WAIT, "sh", "sh", "-c", "exit 6"))
pid = os.fork()
if pid == 0:
    os._exit(7)
print(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT).si_status)
print(os.waitid(os.P_PID, pid, os.WEXITED).si_status)
signal.signal(signal.SIGCHLD, lambda *_: None)
print(s.run(["sh", "-c", "sleep 0.1; exit 8"]).returncode)
try:
    # The sleep that nobody waited for may be there yet.
    while True:
        os.wait()
except ChildProcessError:
    print("no children")
