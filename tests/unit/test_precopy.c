/* SPDX-License-Identifier: GPL-2.0-only */
/* Which copy is an orphan's, among tens of thousands. */
#include "check.h"
#include "preserve/precopy.h"

#define MANY 40000

static struct orphan orphan_of(const struct precopied *copy)
{
	return (struct orphan){
		.dev_major = copy->dev_major,
		.dev_minor = copy->dev_minor,
		.ino = copy->ino,
		.has_generation = copy->has_generation,
		.generation = copy->generation,
		.mnt_id = copy->mnt_id,
	};
}

static void copies_make(struct precopies *copies, size_t n)
{
	copies->items = calloc(n, sizeof(*copies->items));
	MUST(copies->items);
	copies->n = n;
	for (size_t i = 0; i < n; i++)
		/* The numbers in no order, each on two devices with two generations. */
		copies->items[i] = (struct precopied){
			.dev_major = 8,
			.dev_minor = i % 2,
			.ino = (i / 4 * 7919) % n + 1,
			.has_generation = true,
			.generation = i / 2 % 2,
			.mnt_id = 30 + i % 2,
			.bytes = i,
			.fd = 1 << 20, /* not looked at */
		};
}

static void test_many(void)
{
	struct precopies copies = {0};
	size_t wrong = 0;

	copies_make(&copies, MANY);
	precopies_sort(&copies);
	for (size_t i = 0; i < MANY; i++) {
		struct orphan orphan = orphan_of(&copies.items[i]);

		wrong += precopies_find(&copies, &orphan) != &copies.items[i];
	}
	CHECK_INT(wrong, 0);
	free(copies.items);
}

static void test_none(void)
{
	struct precopies copies = {0};
	struct orphan orphan = {.ino = 1, .dev_major = 8, .mnt_id = 30};

	CHECK(!precopies_find(NULL, &orphan));
	CHECK(!precopies_find(&copies, &orphan));
	precopies_sort(&copies);
	CHECK(!precopies_find(&copies, &orphan));
}

static void test_other(void)
{
	struct precopies copies = {0};
	struct orphan orphan;

	copies_make(&copies, 4);
	precopies_sort(&copies);
	orphan = orphan_of(&copies.items[3]);
	CHECK(precopies_find(&copies, &orphan) == &copies.items[3]);
	orphan.mnt_id++;
	CHECK(!precopies_find(&copies, &orphan));
	orphan = orphan_of(&copies.items[3]);
	orphan.has_generation = false;
	CHECK(!precopies_find(&copies, &orphan));
	orphan = orphan_of(&copies.items[3]);
	orphan.ino++;
	CHECK(!precopies_find(&copies, &orphan));
	/* Given away: no copy any more. */
	orphan = orphan_of(&copies.items[0]);
	copies.items[0].fd = -1;
	CHECK(!precopies_find(&copies, &orphan));
	free(copies.items);
}

int main(void)
{
	test_many();
	test_none();
	test_other();
	return check_done();
}
