javac Spawner.java && java -Xshare:auto -XX:TieredStopAtLevel=1 Spawner
