/* SPDX-License-Identifier: GPL-2.0-only */
/* Names for people's eyes: whatever a stranger put into one, it is UTF-8 that no terminal
 * obeys, and two names never look the same. */
#include "base/auto.h"
#include "base/escape.h"

#include "check.h"

static void check_escape(const char *text, const char *want)
{
	AUTO_FREE char *got = escape_control(text);

	CHECK_STR(got, want);
}

static void test_plain(void)
{
	check_escape("", "");
	check_escape("/var/tmp/a b'c\"$(d)~", "/var/tmp/a b'c\"$(d)~");
	/* The first and last of two, three and four bytes. */
	check_escape("\xc2\xa0\xdf\xbf", "\xc2\xa0\xdf\xbf");
	check_escape("\xe0\xa0\x80\xef\xbf\xbf", "\xe0\xa0\x80\xef\xbf\xbf");
	check_escape("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
		     "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
	/* Both sides of the surrogates. */
	check_escape("\xed\x9f\xbf\xee\x80\x80", "\xed\x9f\xbf\xee\x80\x80");
}

static void test_control(void)
{
	check_escape("\x01\t\n\r\x1b[2J\x1f", "\\x01\\x09\\x0a\\x0d\\x1b[2J\\x1f");
	check_escape("a\x7f~", "a\\x7f~");
	/* C1 in its two bytes: U+009B is what ESC [ is. */
	check_escape("\xc2\x80\xc2\x9b\xc2\x9f", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f");
}

/* A name that holds an escape is not the name that is shown so. */
static void test_backslash(void)
{
	check_escape("\\", "\\x5c");
	check_escape("\\x0a", "\\x5cx0a");
}

static void test_not_utf8(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"\x80", "\\x80"},			      /* nothing before it */
		{"a\xbf/", "a\\xbf/"},			      /* the same, inside */
		{"\xff\xfe", "\\xff\\xfe"},		      /* never a byte of UTF-8 */
		{"\xc0\xaf", "\\xc0\\xaf"},		      /* "/", overlong */
		{"\xc1\xbf", "\\xc1\\xbf"},		      /* overlong */
		{"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},	      /* overlong */
		{"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"}, /* overlong */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},	      /* the first surrogate */
		{"\xed\xbf\xbf", "\\xed\\xbf\\xbf"},	      /* the last one */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
		{"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
		{"\xe2\x82z", "\\xe2\\x82z"}, /* two of three */
		{"\xe2z\xac", "\\xe2z\\xac"},
		{"\xf0\x9f\x93z", "\\xf0\\x9f\\x93z"}, /* three of four */
		{"\xc3\xc3\xa9", "\\xc3\xc3\xa9"},     /* begins again */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_escape(cases[i].text, cases[i].want);
}

/* A sequence that the end cuts off: nothing past the end is read, which the sanitizers
 * see, as each copy is as long as its text. */
static void test_cut_off(void)
{
	static const char *const texts[] = {"\xc3", "\xe2", "\xe2\x82", "\xf0\x9f",
					    "\xf0\x9f\x93"};
	static const char *const wants[] = {"\\xc3", "\\xe2", "\\xe2\\x82", "\\xf0\\x9f",
					    "\\xf0\\x9f\\x93"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		AUTO_FREE char *text = strdup(texts[i]);

		MUST(text);
		check_escape(text, wants[i]);
	}
}

/* Every byte alone is itself or its escape, and no two of them are the same. */
static void test_each_byte(void)
{
	for (int byte = 1; byte < 256; byte++) {
		bool plain = byte >= 0x20 && byte < 0x7f && byte != '\\';
		char text[2] = {(char)byte}, want[8];

		snprintf(want, sizeof(want), plain ? "%c" : "\\x%02x", byte);
		check_escape(text, want);
	}
}

int main(void)
{
	test_plain();
	test_control();
	test_backslash();
	test_not_utf8();
	test_cut_off();
	test_each_byte();
	return check_done();
}
