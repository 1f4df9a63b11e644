import java.util.*;
import java.util.concurrent.*;

public class Spawner {
    static Process start(String... words) throws Exception {
        return new ProcessBuilder(words).redirectErrorStream(true).start();
    }

    public static void main(String[] args) throws Exception {
        List<Process> many = new ArrayList<>();
        for (int n = 0; n < 3; n++)
            many.add(start("sh", "-c", "sleep 0." + n + "; exit " + n));
        for (Process one : many) System.out.println(one.waitFor());
        Process one = start("sleep", "10");
        one.destroy();
        System.out.println(one.waitFor());
        one.destroy();
        one = start("sleep", "10");
        System.out.println(one.waitFor(100, TimeUnit.MILLISECONDS));
        one.destroyForcibly();
        System.out.println(one.onExit().get().exitValue());
        one = start("sh", "-c", "echo out; exit 5");
        System.out.print(new String(one.getInputStream().readAllBytes()));
        System.out.println(one.waitFor());
        try {
            start("/nonexistent/program");
        } catch (java.io.IOException e) {
            System.out.println("not found");
        }
        List<Process> piped = ProcessBuilder.startPipeline(
            List.of(new ProcessBuilder("echo", "piped"), new ProcessBuilder("cat")));
        System.out.print(new String(piped.get(1).getInputStream().readAllBytes()));
        for (Process part : piped) System.out.println(part.waitFor());
        Runtime.getRuntime().exec(new String[] {"sleep", "0.3"});
    }
}
