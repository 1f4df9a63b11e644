import asyncio, sys

async def one(n):
    p = await asyncio.create_subprocess_exec(
        "sh", "-c", f"echo {n}; sleep 0.{n}; exit {n}", stdout=asyncio.subprocess.PIPE)
    out, _ = await p.communicate()
    return out, p.returncode

async def main():
    print(await asyncio.gather(*(one(n) for n in range(4))))
    p = await asyncio.create_subprocess_exec("sleep", "10")
    p.kill()
    print(await p.wait())
    p = await asyncio.create_subprocess_shell("exit 5")
    await asyncio.sleep(0.2)
    print(await p.wait())
    p = await asyncio.create_subprocess_shell("exec sleep 10")
    try:
        await asyncio.wait_for(p.wait(), 0.1)
    except asyncio.TimeoutError:
        p.terminate()
        print(await p.wait())

for name in ("PidfdChildWatcher", "ThreadedChildWatcher", "SafeChildWatcher", "FastChildWatcher"):
    watcher = getattr(asyncio, name, None) if sys.argv[1:] == [name] else None
    if watcher:
        watcher = watcher()
        asyncio.set_child_watcher(watcher)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        watcher.attach_loop(loop)
        loop.run_until_complete(main())
        break
else:
    asyncio.run(main())
