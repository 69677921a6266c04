/* SPDX-License-Identifier: GPL-2.0-only */
#include "container.h"

#include <stddef.h>
#include <string.h>

#define HEX_DIGITS "0123456789abcdef"

/* One component of a path; not terminated. */
struct name {
	const char *text;
	size_t len;
};

/* The component of @path that ends before @end; empty at the root. */
static struct name name_before(const char *path, const char *end)
{
	struct name name;

	while (end > path && end[-1] == '/')
		end--;
	name.text = end;
	while (name.text > path && name.text[-1] != '/')
		name.text--;
	name.len = end - name.text;
	return name;
}

static bool name_take_prefix(struct name *name, const char *prefix)
{
	size_t len = strlen(prefix);

	if (name->len < len || memcmp(name->text, prefix, len))
		return false;
	name->text += len;
	name->len -= len;
	return true;
}

static bool name_take_suffix(struct name *name, const char *suffix)
{
	size_t len = strlen(suffix);

	if (name->len < len || memcmp(name->text + name->len - len, suffix, len))
		return false;
	name->len -= len;
	return true;
}

static bool is_hex(const char *text, size_t len)
{
	return strspn(text, HEX_DIGITS) >= len;
}

/* A UUID, or the 32 digits of a static pod (the kubelet's hash of its file). */
static bool is_uid(const char *text, size_t len, char dash)
{
	static const size_t dashes[] = {8, 13, 18, 23};
	size_t next = 0;

	if (len == 32)
		return is_hex(text, len);
	if (len != CONTAINER_POD_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (next < 4 && i == dashes[next]) {
			if (text[i] != dash)
				return false;
			next++;
		} else if (!memchr(HEX_DIGITS, text[i], 16)) {
			return false;
		}
	}
	return true;
}

/* kubelet (pkg/kubelet/cm): pod<UID>, or as a slice …-pod<UID>.slice, where systemd's
 * dashes are taken by the hierarchy and the UID's own are underscores. */
static bool name_is_pod(struct name name, char uid[CONTAINER_POD_LEN + 1])
{
	char dash = '-';

	if (name_take_suffix(&name, ".slice")) {
		struct name last = name;

		dash = '_';
		while (last.len && memchr(last.text, '-', last.len)) {
			last.text++;
			last.len--;
		}
		name = last;
	}
	if (!name_take_prefix(&name, "pod") || !is_uid(name.text, name.len, dash))
		return false;
	for (size_t i = 0; i < name.len; i++)
		uid[i] = name.text[i] == '_' ? '-' : name.text[i];
	uid[name.len] = '\0';
	return true;
}

/* <runtime>-<id>.scope by systemd's driver, <id> or <runtime>-<id> by cgroupfs'. The
 * monitors, crio-conmon-<id> and libpod-conmon-<id>, are not the container. */
static bool name_is_container(struct name name, struct name parent,
			      char id[CONTAINER_ID_LEN + 1])
{
	static const char *const prefixes[] = {"cri-containerd-", "crio-", "docker-",
					       "libpod-"};
	char uid[CONTAINER_POD_LEN + 1];
	bool named = false;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes) && !named; i++)
		named = name_take_prefix(&name, prefixes[i]);
	if (named)
		name_take_suffix(&name, ".scope");
	else if (!name_is_pod(parent, uid) &&
		 (parent.len != 6 || memcmp(parent.text, "docker", 6)))
		return false;
	if (name.len != CONTAINER_ID_LEN || !is_hex(name.text, name.len))
		return false;
	memcpy(id, name.text, name.len);
	id[name.len] = '\0';
	return true;
}

void container_of_path(const char *path, struct container *out)
{
	struct name name = name_before(path, path + strlen(path)), parent;

	*out = (struct container){0};
	for (; name.len; name = parent) {
		parent = name_before(path, name.text);
		if (name_is_pod(name, out->pod))
			return;
		if (!out->id[0])
			name_is_container(name, parent, out->id);
	}
}

bool container_uid_is_valid(const char *uid)
{
	return is_uid(uid, strlen(uid), '-') || is_uid(uid, strlen(uid), '_');
}

bool container_prefix_is_valid(const char *prefix)
{
	size_t len = strlen(prefix);

	return len && len <= CONTAINER_ID_LEN && is_hex(prefix, len);
}

bool container_is_pod(const char *path, const char *uid)
{
	struct name name = name_before(path, path + strlen(path));
	char own[CONTAINER_POD_LEN + 1];

	if (!name_is_pod(name, own) || strlen(own) != strlen(uid))
		return false;
	for (size_t i = 0; own[i]; i++)
		if (own[i] != uid[i] && !(own[i] == '-' && uid[i] == '_'))
			return false;
	return true;
}

bool container_has_prefix(const char *path, const char *prefix)
{
	struct name name = name_before(path, path + strlen(path));
	char id[CONTAINER_ID_LEN + 1];

	return name_is_container(name, name_before(path, name.text), id) &&
	       !strncmp(id, prefix, strlen(prefix));
}
