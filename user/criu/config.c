/* SPDX-License-Identifier: GPL-2.0-only */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/advice.h"
#include "base/auto.h"
#include "base/durable.h"
#include "base/why.h"
#include "proc/proctext.h"
#include "run.h"

/* The lines around what is ours; the id follows. CRIU takes them for comments. */
#define BEGIN "# relinktrace begin "
#define END   "# relinktrace end "

/* A configuration file that is being changed: the directory is locked meanwhile, since the
 * file itself is replaced. */
struct config {
	char path[PATH_MAX]; /* without symbolic links where it exists */
	int dir;	     /* owned */
	char *text;	     /* owned; "" where there was none */
	mode_t mode;
};

static void config_fini(struct config *config)
{
	auto_close(&config->dir);
	free(config->text);
}

/* The start of line @line of @text, or NULL. */
static const char *find_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = text; (at = strstr(at, line)); at += len)
		if ((at == text || at[-1] == '\n') && (!at[len] || at[len] == '\n'))
			return at;
	return NULL;
}

char *criu_config_without(const char *text, const char *id)
{
	char begin[sizeof(BEGIN) + 33], end[sizeof(END) + 33];
	const char *from, *to;
	char *rest;

	snprintf(begin, sizeof(begin), BEGIN "%.32s", id);
	snprintf(end, sizeof(end), END "%.32s", id);
	from = find_line(text, begin);
	to = from ? find_line(from, end) : NULL;
	if (!to)
		return strdup(text);
	to += strlen(end);
	to += *to == '\n';
	return asprintf(&rest, "%.*s%s", (int)(from - text), text, to) < 0 ? NULL : rest;
}

static int config_open(const char *path, struct config *out, char **why)
{
	AUTO_FREE char *copy = NULL;
	struct stat st;
	int ret;

	if (!realpath(path, out->path) &&
	    snprintf(out->path, sizeof(out->path), "%s", path) >= (int)sizeof(out->path))
		return why_set(why, -ENAMETOOLONG, "%s is too long", path);
	copy = strdup(out->path);
	if (!copy)
		return -ENOMEM;
	out->dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->dir < 0 || flock(out->dir, LOCK_EX))
		return why_set(why, -errno, "cannot open the folder of %s: %m%s", path,
			       advice_folder(-errno));
	out->mode = stat(out->path, &st) ? 0644 : st.st_mode & 07777;
	ret = proctext_read(AT_FDCWD, out->path, &out->text);
	if (ret == -ENOENT)
		out->text = strdup("");
	else if (ret)
		return why_set(why, ret, "cannot read %s: %s", path, strerror(-ret));
	return out->text ? 0 : -ENOMEM;
}

/* Replaces the file as a whole. */
static int config_write(const struct config *config, const char *text, char **why)
{
	char temp[PATH_MAX + 16];
	AUTO_FD fd = -1;
	int ret;

	snprintf(temp, sizeof(temp), "%s.relinktrace", config->path);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return why_set(why, -errno, "cannot make %s: %m", temp);
	ret = durable_write(fd, text, strlen(text));
	if (!ret && (fchmod(fd, config->mode) || fsync(fd) || rename(temp, config->path)))
		ret = -errno;
	if (!ret)
		return 0;
	unlink(temp);
	return why_set(why, ret, "cannot write %s: %s", config->path, strerror(-ret));
}

/* The block of @keys, owned by the caller; NULL. */
static char *block_of(const struct criu_keys *keys)
{
	AUTO(criu_words_fini) struct criu_words words = {0};
	char *text = NULL;
	bool failed = false;
	size_t len;
	FILE *out;

	if (criu_words_dump(&words, keys))
		return NULL;
	out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	fprintf(out, BEGIN "%s\n", keys->id);
	for (size_t i = 0; i < words.n && !failed;) {
		AUTO_FREE char *line = criu_words_line(&words, &i);

		failed = !line || fprintf(out, "%s\n", line) < 0;
	}
	fprintf(out, END "%s\n", keys->id);
	if (!fclose(out) && !failed)
		return text;
	free(text);
	return NULL;
}

int criu_config_add(const char *path, const struct criu_keys *keys, const char *instead,
		    char **why)
{
	AUTO(config_fini) struct config config = {.dir = -1};
	AUTO_FREE char *rest = NULL, *block = NULL, *text = NULL, *other = NULL;
	int ret = config_open(path, &config, why);

	if (ret)
		return ret;
	other = criu_config_without(config.text, keys->id);
	rest = other ? criu_config_without(other, instead ?: keys->id) : NULL;
	block = block_of(keys);
	if (!rest || !block ||
	    asprintf(&text, "%s%s%s", rest,
		     rest[0] && rest[strlen(rest) - 1] != '\n' ? "\n" : "", block) < 0)
		return -ENOMEM;
	return config_write(&config, text, why);
}

int criu_config_remove(const char *path, const char *id, char **why)
{
	AUTO(config_fini) struct config config = {.dir = -1};
	AUTO_FREE char *rest = NULL;
	int ret = config_open(path, &config, why);

	if (ret)
		return ret;
	rest = criu_config_without(config.text, id);
	if (!rest)
		return -ENOMEM;
	if (!strcmp(rest, config.text))
		return 0;
	if (rest[0])
		return config_write(&config, rest, why);
	return unlink(config.path) ? why_set(why, -errno, "cannot remove %s: %m", path)
				   : 0;
}
