/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared_lock.h"

int shared_lock_init(struct shared_lock *lock)
{
	pthread_mutexattr_t attributes;
	int code = pthread_mutexattr_init(&attributes);

	if (code)
		return -code;
	code = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (!code)
		code = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	if (!code)
		code = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	if (!code)
		code = pthread_mutex_init(&lock->mutex, &attributes);
	(void)pthread_mutexattr_destroy(&attributes);
	return -code;
}

int shared_lock_result(struct shared_lock *lock, int code)
{
	if (code != EOWNERDEAD)
		return -code;
	(void)pthread_mutex_consistent(&lock->mutex);
	return 1;
}

bool shared_lock_mine(struct shared_lock *lock)
{
	int code = pthread_mutex_trylock(&lock->mutex);

	if (code == EOWNERDEAD)
		(void)pthread_mutex_consistent(&lock->mutex);
	if (code == 0 || code == EOWNERDEAD)
		(void)pthread_mutex_unlock(&lock->mutex);
	return code == EDEADLK;
}
