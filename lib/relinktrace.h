/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * librelinktrace: what the command relinktrace does, for a program that does it itself.
 * relinktrace.3 is the manual page.
 *
 * Every function that returns an int returns 0 when it is done, RELINKTRACE_PARTLY when
 * something was lost, unreadable or not preserved, and -errno when it failed; for the last
 * two relinktrace_message() says what. Nothing is printed, no signal is caught, and no fd
 * is left open but those that are handed out. One call runs at a time; others wait.
 */
#ifndef RELINKTRACE_H
#define RELINKTRACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RELINKTRACE_API __attribute__((visibility("default")))

#define RELINKTRACE_PARTLY 1

/* A handle. One thread at a time may use it. */
struct relinktrace;

/* A new handle in *@rt, for relinktrace_close(). 0 or -ENOMEM. */
RELINKTRACE_API int relinktrace_open(struct relinktrace **rt);
RELINKTRACE_API void relinktrace_close(struct relinktrace *rt);

/* What the last call with @rt had to say, lines with '\n' between, without one at the end;
 * "" for nothing. Valid until the next call with @rt. */
RELINKTRACE_API const char *relinktrace_message(const struct relinktrace *rt);

/* "0.1.0" */
RELINKTRACE_API const char *relinktrace_version(void);

struct relinktrace_list {
	size_t size; /* of this struct, for later versions */
	/* One of these three. Without any: the cgroups of the attach that is pinned; where
	 * there is none, everybody. */
	const char *const *cgroups; /* as the command takes them, ended by NULL */
	pid_t pid;		    /* this process */
	int all;		    /* everybody */
};

/* The orphans that those hold, as JSON (list.schema.json), what list -j prints, in *@json, for
 * free(3). RELINKTRACE_PARTLY: the list is not complete. */
RELINKTRACE_API int relinktrace_list(struct relinktrace *rt,
				     const struct relinktrace_list *wish, char **json);

struct relinktrace_attach {
	size_t size;		    /* of this struct, for later versions */
	const char *const *cgroups; /* as the command takes them, ended by NULL */
	/* "fentry", "kprobe" or "tp_btf"; NULL the first of them that works. */
	const char *backend;
	/* Of the whole machine that can be tracked at once; 0: by its memory. */
	unsigned int max_orphans;
	int pin; /* returns at once, and tracking goes on until relinktrace_detach() */
	/* Without pin: called with @data and each line that attach -j prints, until it returns
	 * other than 0. Not to call this library. */
	int (*event)(const char *json, void *data);
	void *data;
	int stop_fd; /* without pin: or until something can be read from this; 0 none */
};

/* Tracks the orphans of some cgroups. With pin, the line that attach --pin -j prints is in
 * *@json, for free(3), unless that is NULL. Without, it returns when tracking has ended; other
 * calls wait until then. RELINKTRACE_PARTLY: something was lost. */
RELINKTRACE_API int relinktrace_attach(struct relinktrace *rt,
				       const struct relinktrace_attach *wish,
				       char **json);

struct relinktrace_detach {
	size_t size; /* of this struct, for later versions */
	/* One of these two: */
	const char *const *cgroups; /* as the command takes them, ended by NULL */
	int all;
};

/* Ends what is pinned, of some cgroups or of all. That there is nothing is no failure. */
RELINKTRACE_API int relinktrace_detach(struct relinktrace *rt,
				       const struct relinktrace_detach *wish);

/* What works on this machine, found by trying it: what doctor -j prints, in *@json, for
 * free(3). */
RELINKTRACE_API int relinktrace_doctor(struct relinktrace *rt, char **json);

struct relinktrace_forecast {
	size_t size;		    /* of this struct, for later versions */
	const char *const *cgroups; /* as the command takes them, ended by NULL */
	int stop;		    /* these three as in struct relinktrace_checkpoint */
	const char *store;
	const char *const *store_mounts;
};

/* What CRIU alone would do with each orphan of some cgroups, what a checkpoint will do, and
 * what that costs: what check -j prints, in *@json, for free(3). Changes nothing.
 * RELINKTRACE_PARTLY: some cannot be preserved. */
RELINKTRACE_API int relinktrace_forecast(struct relinktrace *rt,
					 const struct relinktrace_forecast *wish,
					 char **json);

struct relinktrace_checkpoint {
	size_t size;	      /* of this struct, for later versions */
	const char *cgroup;   /* as the command takes it */
	const char *manifest; /* the file to be written; must not exist */
	const char *names;    /* their template; NULL the default */
	const char *method;   /* "link", "clone" or "copy" only; NULL the cheapest */
	int freeze;	      /* the cgroup, for the time of the work */
	int stop;	      /* the holders end after this */
	/* Called with @data when the manifest is on disk and the cgroup still frozen; NULL
	 * nothing. Other than 0: it failed (RELINKTRACE_PARTLY). Not to call this library.
	 */
	int (*frozen)(void *data);
	void *data;
	const char *store; /* directory that copies go into, and no names on the mounts;
			    * NULL none */
	const char *const *store_mounts; /* of what is on these only, ended by NULL; NULL
					  * all */
	double deadline; /* seconds: then the manifest says what was not reached, and the
			  * cgroup is thawed (RELINKTRACE_PARTLY); the work is done by
			  * processes of its own; -ETIMEDOUT where what the manifest is on
			  * does not answer; 0 none */
	int precopy; /* with freeze: copies what can only be copied before it, and inside of
		      * it what changed since */
	uint64_t
		max_bytes; /* -EDQUOT, and nothing is made, when the names would keep more
			     * allocated; 0 any number */
	int digest;	   /* the SHA-256 of every regular file, for restore to verify */
};

/* Preserves the orphans of a cgroup. The manifest as JSON (manifest.schema.json) in
 * *@json, for free(3), unless that is NULL. */
RELINKTRACE_API int relinktrace_checkpoint(struct relinktrace *rt,
					   const struct relinktrace_checkpoint *wish,
					   char **json);

/* What it points to is not needed after the call. */
struct relinktrace_restore {
	size_t size; /* of this struct, for later versions */
	const char *manifest;
	pid_t holder; /* only what this process held, each of its fds; 0 everything, each
		       * description once */
	const char *const *roots; /* "POINT=DIR", ended by NULL: where the mounts are now;
				   * NULL where they were */
	const char *store; /* where the checkpoint's store is now; NULL found by the
			    * manifest */
};

/* Verifies that all of it can be restored and changes nothing. -errno of the first that
 * cannot; the message names all of them. RELINKTRACE_PARTLY: all that was preserved can, but
 * not everything was. @wish->holder does not matter. */
RELINKTRACE_API int relinktrace_check(struct relinktrace *rt,
				      const struct relinktrace_restore *wish);

/* What was opened. */
struct relinktrace_files;

struct relinktrace_file {
	unsigned int n;	  /* of the orphan */
	int fd;		  /* open as it was, close-on-exec; -1 after it was taken */
	const char *path; /* the orphan's, raw bytes; NULL unknown */
	pid_t pid;	  /* who held the description first; 0 no fd held it */
	int old_fd;	  /* its number there; -1 */
	uint64_t pos;	  /* bytes */
	uint64_t ofd; /* files with equal n and ofd other than 0 share one description */
};

/* Opens the files of a manifest, as they were, into *@files, for
 * relinktrace_files_free(). The names that a checkpoint made stay until
 * relinktrace_files_done(). */
RELINKTRACE_API int relinktrace_restore(struct relinktrace *rt,
					const struct relinktrace_restore *wish,
					struct relinktrace_files **files);
RELINKTRACE_API size_t relinktrace_files_count(const struct relinktrace_files *files);

/* File @i, from 0 on; belongs to @files. */
RELINKTRACE_API const struct relinktrace_file *
relinktrace_files_get(const struct relinktrace_files *files, size_t i);

/* The fd of file @i, which is the caller's from then on. */
RELINKTRACE_API int relinktrace_files_take(struct relinktrace_files *files, size_t i);

/* They have arrived: removes the names of what was opened. */
RELINKTRACE_API int relinktrace_files_done(struct relinktrace *rt,
					   struct relinktrace_files *files);

/* Closes those that were not taken. */
RELINKTRACE_API void relinktrace_files_free(struct relinktrace_files *files);

/* Writes the files of a manifest into directory @dir, as restore --to does, and removes the
 * names, unless @keep. */
RELINKTRACE_API int relinktrace_write_out(struct relinktrace *rt,
					  const struct relinktrace_restore *wish,
					  const char *dir, int keep);

/* Executes @argv, ended by NULL, in place of this process with the files of a manifest, as
 * restore -- CMD does: meant for a child. The names are removed when that has succeeded,
 * unless @keep. Returns only on failure: -errno; what is open in this process, its
 * environment and its directory are not to be relied on then. */
RELINKTRACE_API int relinktrace_execute(struct relinktrace *rt,
					const struct relinktrace_restore *wish, int keep,
					char *const argv[]);

/* Hands the files of a manifest to whoever connects. */
struct relinktrace_listener;

/* Opens the files of a manifest, as relinktrace_restore() does, and listens on a new Unix
 * socket at @path, as restore --listen does (docs/handover.md); into *@listener, for
 * relinktrace_listener_free(). With @keep the names stay, for one client after the other. */
RELINKTRACE_API int relinktrace_listen(struct relinktrace *rt,
				       const struct relinktrace_restore *wish,
				       const char *path, int keep,
				       struct relinktrace_listener **listener);

/* The socket, for poll(2): it can be read from when somebody has come. Belongs to @listener. */
RELINKTRACE_API int relinktrace_listener_fd(const struct relinktrace_listener *listener);

/* Hands the files to one client of our own user, for which it waits, and removes the names
 * when they have been taken. Waits @seconds at most in all; 0: as long as it takes.
 * RELINKTRACE_PARTLY: names could not be removed. -ETIMEDOUT: nobody came; -EAGAIN: the
 * client has not taken them; for both the names stay, and the next one can be served. */
RELINKTRACE_API int relinktrace_listener_serve(struct relinktrace *rt,
					       struct relinktrace_listener *listener,
					       double seconds);

/* Closes and removes the socket. */
RELINKTRACE_API void relinktrace_listener_free(struct relinktrace_listener *listener);

struct relinktrace_cleaned {
	size_t removed; /* names */
	size_t absent;	/* that were gone already */
	size_t left;	/* that could not be removed, or are another file's by now */
};

/* Removes what the checkpoint to @manifest left, whether it came to its end or not. Counts
 * in @cleaned, unless that is NULL. */
RELINKTRACE_API int relinktrace_clean(struct relinktrace *rt, const char *manifest,
				      struct relinktrace_cleaned *cleaned);

struct relinktrace_clean {
	size_t size; /* of this struct, for later versions */
	/* One of these three: */
	const char *manifest; /* the checkpoint to it, as above; or its journal */
	const char *id;	      /* this checkpoint, wherever its manifest is */
	int expired;	      /* all that are older than @age */

	long age; /* seconds */
	const char
		*store;	 /* of @manifest: where the checkpoint's store is now; NULL found
			    * by the manifest */
	double deadline; /* seconds: then what is on a filesystem that has not answered is
			    * left (RELINKTRACE_PARTLY); the work is done by processes of its
			    * own; 0 none */
};

/* The same of what @wish says. That there is nothing to be removed is no failure. */
RELINKTRACE_API int relinktrace_clean_by(struct relinktrace *rt,
					 const struct relinktrace_clean *wish,
					 struct relinktrace_cleaned *cleaned);

/* What a dump or a restore by CRIU is asked for. Each function takes what the command of its
 * name has an option for; for the others it has to be NULL or 0. */
struct relinktrace_criu {
	size_t size;			 /* of this struct, for later versions */
	const char *images;		 /* --images-dir */
	pid_t tree;			 /* dump, prepare */
	int precopy;			 /* dump, prepare */
	const char *store;		 /* dump, prepare, restore */
	const char *const *store_mounts; /* dump, prepare; ended by NULL */
	int leave_running;		 /* dump */
	const char *const *words; /* dump, restore: for criu itself, ended by NULL */
	int keep;		  /* restore */
	const char *config;	  /* prepare */
	/* prepare, in place of --exec: called with @data while the cgroup is frozen. Other
	 * than 0: it failed, and nothing stays. Not to call this library. */
	int (*frozen)(void *data);
	void *data;
	const char *const *roots; /* clean; ended by NULL */
	int no_store;		  /* prepare */
};

/* The orphans of a dump. */
struct relinktrace_dumped {
	size_t preserved;
	size_t left; /* to CRIU; the message says why */
};

/* Dumps a tree of processes by CRIU, and preserves what it holds. Counts in @dumped, unless
 * that is NULL. When it fails nothing is left of it. */
RELINKTRACE_API int relinktrace_criu_dump(struct relinktrace *rt,
					  const struct relinktrace_criu *wish,
					  struct relinktrace_dumped *dumped);

/* The same for a dump that a container runtime starts. */
RELINKTRACE_API int relinktrace_criu_prepare(struct relinktrace *rt,
					     const struct relinktrace_criu *wish,
					     struct relinktrace_dumped *dumped);

/* Restores by CRIU what was dumped, detached. When it fails no name was removed. */
RELINKTRACE_API int relinktrace_criu_restore(struct relinktrace *rt,
					     const struct relinktrace_criu *wish);

/* Removes what relinktrace_criu_prepare() made. Counts in @cleaned, unless that is NULL. */
RELINKTRACE_API int relinktrace_criu_clean(struct relinktrace *rt,
					   const struct relinktrace_criu *wish,
					   struct relinktrace_cleaned *cleaned);

/* What an agent does around the checkpoint or restore of somebody else (docs/agents.md). */
struct relinktrace_hook {
	size_t size; /* of this struct, for later versions */
	const char
		*action; /* "prepare", "post-dump", "abort", "pre-restore", "post-restore"
			     * or "clean" */
	const char *id;	 /* of the transaction */
	/* As the options of the command; NULL or 0 where there is none. */
	const char *cgroup; /* prepare: as the command takes it; NULL that of @tree */
	pid_t tree;
	const char *images; /* --images-dir */
	int external;
	const char *config;
	const char *store;
	const char *const *store_mounts; /* ended by NULL */
	const char *const *roots;	 /* ended by NULL */
	int strict;
	int keep;
	double deadline; /* seconds; 0: 60 */
	int no_store;
	double wait; /* prepare: seconds; 0: 600; less: no process waits for the pause */
};

/* Does what hook ACTION does, by a process of its own. Its answer (hook.schema.json) in
 * *@json, for free(3), with -ECANCELED too: the action failed, and the answer says what may go
 * on. With any other -errno there is none. */
RELINKTRACE_API int relinktrace_hook(struct relinktrace *rt,
				     const struct relinktrace_hook *wish, char **json);

#ifdef __cplusplus
}
#endif

#endif
