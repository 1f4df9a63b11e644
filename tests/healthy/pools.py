import concurrent.futures as f, multiprocessing as m, os

def work(n):
    return n * n

def fails(n):
    os._exit(n)

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = m.get_context(method)
        with context.Pool(3) as pool:
            print(pool.map(work, range(6)))
        many = [context.Process(target=fails, args=(n,)) for n in range(3)]
        for one in many:
            one.start()
        for one in many:
            one.join()
        print([one.exitcode for one in many])
        with f.ProcessPoolExecutor(2, mp_context=context) as pool:
            print(list(pool.map(work, range(4))))
    context = m.get_context("fork")
    with context.Pool(2, maxtasksperchild=1) as pool:
        print(pool.map(work, range(4), chunksize=1))
    one = context.Process(target=__import__("time").sleep, args=(10,), daemon=True)
    one.start()
    one.terminate()
    one.join()
    print(one.exitcode, m.active_children())
    with context.Manager() as manager:
        shared = manager.dict()
        shared["key"] = 1
        print(shared["key"])
    context.Process(target=__import__("time").sleep, args=(10,), daemon=True).start()
