/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that share a lock, fork, and a shell: for the scripts of test_umvu_programs.py. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long sum;

static void *work(void *n)
{
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&lock);
		sum += (long)n + (getppid() < 0);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[16];
	int status;

	for (int round = 0; round < 20; round++) {
		for (long i = 0; i < 16; i++)
			if (pthread_create(&threads[i], NULL, work, (void *)i))
				abort();
		for (int i = 0; i < 16; i++)
			pthread_join(threads[i], NULL);
		if (fork() == 0)
			_exit(round);
		wait(&status);
	}
	printf("%ld %d\n", sum, WEXITSTATUS(status));
	if (system("echo from a shell") != 0)
		return 1;
	return 7;
}
