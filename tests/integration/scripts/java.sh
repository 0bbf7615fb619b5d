# SPDX-License-Identifier: GPL-2.0-or-later
# Threads, a just-in-time compiler, a child, a fault that becomes an exception.
# needs: java
# large
cat >Main.java <<'END'
import java.util.*;
import java.util.concurrent.*;
public class Main {
	static long work(long n) {
		long x = n;
		for (int i = 0; i < 2000000; i++)
			x = x * 6364136223846793005L + i;
		return x;
	}
	public static void main(String[] arguments) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(8);
		List<Future<Long>> all = new ArrayList<>();
		for (long n = 0; n < 32; n++) { final long m = n; all.add(pool.submit(() -> work(m))); }
		long sum = 0;
		for (Future<Long> one : all) sum += one.get();
		pool.shutdown();
		System.out.println(sum);
		Process child = new ProcessBuilder("sh", "-c", "echo child; exit 3").start();
		System.out.print(new String(child.getInputStream().readAllBytes()));
		System.out.println(child.waitFor());
		try {
			((Object) null).toString();
		} catch (NullPointerException e) {
			System.out.println("null");
		}
		System.gc();
		System.exit(5);
	}
}
END
java Main.java
