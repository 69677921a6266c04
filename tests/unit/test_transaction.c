/* SPDX-License-Identifier: GPL-2.0-only */
/* Transactions: their ids, and their state as text and back. */
#include "agent/transaction.h"
#include "base/auto.h"

#include "check.h"

static void test_id(void)
{
	char longest[TXN_ID_MAX + 2];

	CHECK(txn_id_valid("a"));
	CHECK(txn_id_valid("pod-7.c_1"));
	CHECK(txn_id_valid("-x"));
	CHECK(!txn_id_valid(""));
	CHECK(!txn_id_valid("."));
	CHECK(!txn_id_valid(".."));
	CHECK(!txn_id_valid("a/b"));
	CHECK(!txn_id_valid("a b"));
	CHECK(!txn_id_valid("a\n"));
	CHECK(!txn_id_valid("\xc3\xa4"));
	memset(longest, 'x', sizeof(longest));
	longest[TXN_ID_MAX + 1] = '\0';
	CHECK(!txn_id_valid(longest));
	longest[TXN_ID_MAX] = '\0';
	CHECK(txn_id_valid(longest));
}

static char *text_of(const struct txn *txn)
{
	json_t *root = txn_to_json(txn);
	char *text = json_dumps(root, JSON_COMPACT);

	json_decref(root);
	MUST(text);
	return text;
}

static void fill(struct txn *txn)
{
	strcpy(txn->id, "t");
	txn->phase = TXN_RESTORING;
	txn->generation = 3;
	txn->attempt = 5;
	strcpy(txn->checkpoint, "0123456789abcdef0123456789abcdef");
	txn->external = true;
	txn->imported = true;
	txn->ghosts = 2;
	txn->ghost_bytes = 1ULL << 40;
	MUST(!txn_add_link(txn, 4, "tmp/link_remap.7"));
	MUST(!txn_add_link(txn, 5, "tmp/\xff"));
	txn->links[1].ino = UINT64_MAX;
	txn->links[1].made = true;
	MUST(!txn_add_root(txn, "/=/run/root"));
	MUST((txn->store = strdup("/run/root/store")));
}

static void test_state(void)
{
	AUTO(txn_fini) struct txn txn = TXN_INIT;
	AUTO(txn_fini) struct txn read = TXN_INIT;
	AUTO_FREE char *text = NULL, *again = NULL;

	fill(&txn);
	text = text_of(&txn);
	strcpy(read.id, "t");
	CHECK_INT(txn_parse(text, strlen(text), &read, NULL), 0);
	again = text_of(&read);
	CHECK_STR(again, text);
	CHECK_INT(read.n_links, 2);
	CHECK_INT(txn_last(&read), 5);
	CHECK_STR(read.store, "/run/root/store");
	CHECK(txn_link_of(&read, 5) && txn_link_of(&read, 5)->ino == UINT64_MAX);
	CHECK(!txn_link_of(&read, 6));
}

/* @from in the text of a whole state is replaced by @to. */
static void check_refused(const char *from, const char *to, const char *says)
{
	AUTO(txn_fini) struct txn txn = TXN_INIT;
	AUTO(txn_fini) struct txn read = TXN_INIT;
	AUTO_FREE char *text = NULL, *changed = NULL, *why = NULL;
	const char *at;

	fill(&txn);
	text = text_of(&txn);
	at = strstr(text, from);
	MUST(at);
	MUST(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, to,
		      at + strlen(from)) > 0);
	CHECK_INT(txn_parse(changed, strlen(changed), &read, &why), -EINVAL);
	CHECK(!read.n_links && !read.n_roots && why && strstr(why, says));
}

static void test_refused(void)
{
	check_refused("transaction/1", "transaction/2", "schema");
	check_refused("restoring", "sleeping", "phase");
	check_refused("\"generation\":3", "\"generation\":-1", "generation");
	check_refused("\"generation\":3", "\"generation\":2147483647", "generation");
	check_refused("\"attempt\":5", "\"attempt\":0", "attempt");
	check_refused("0123456789abcdef0123", "../../../etc/passwd0", "checkpoint");
	check_refused("tmp/link_remap.7", "tmp/../link_remap.7", "links[0].name");
	check_refused("tmp/link_remap.7", "/link_remap.7", "links[0].name");
	check_refused("\"made\":true", "\"made\":1", "links[1].made");
	check_refused("/run/root/store", "/run/../store", "store");
	check_refused("/run/root/store", "store", "store");
	check_refused("{", "[", "line");
}

int main(void)
{
	test_id();
	test_state();
	test_refused();
	return check_done();
}
