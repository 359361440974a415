/* Fuzzing of what reads bytes of others: requests, and the host service's answers.
 *
 * As `fuzz_text SEED SECONDS`, built with sanitizers. Each case lies in memory of exactly its size, so
 * that one byte too far is seen. What is found besides is held to what the headers promise.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "message.h"
#include "request.h"

static uint64_t state;

static uint32_t number(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)((state >> 16) % below);
}

static const char *const seeds[] = {
    "CONNECT repo.example:443 HTTP/1.1\r\nHost: repo.example:443\r\n"
    "Proxy-Authorization: Basic YWNtZTpwYXNz\r\nProxy-Connection: Keep-Alive\r\n\r\nmore",
    "CONNECT [2001:db8::1]:8443 HTTP/1.0\r\nUser-Agent: x\r\nProxy-Authorization: Basic YTpi\r\n\r\n",
    "CONNECT a:1 HTTP/1.1\r\nproxy-authorization:\tBasic YTpi \r\n\r\n",
    "GET /.well-known/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
};
static const char *const words[] = {
    "\r\n",        "\n",   "\r",    ":",     " ",     "\t",  "CONNECT ", " HTTP/1.1", "Host: a",
    "Connection:", "[::]", "]:443", "65536", "-",     "\x7f", "\xff",     "\r\n\r\n",  "Upgrade: h2c",
    "Proxy-Authorization: Basic YTpi\r\n",   "Content-Length: 5\r\n",    "Keep-Alive",
};
enum { SEEDS = sizeof seeds / sizeof seeds[0], WORDS = sizeof words / sizeof words[0] };
enum { LONGEST = 40000 };

static char text[LONGEST + 64];
static size_t text_length;

static void insert(size_t at, const char *what, size_t length) {
  if (text_length + length > LONGEST) {
    return;
  }
  memmove(text + at + length, text + at, text_length - at);
  memcpy(text + at, what, length);
  text_length += length;
}

static void change(void) {
  size_t at = number((uint32_t)text_length + 1);
  switch (number(7)) {
  case 0:
    if (at < text_length) {
      text[at] = (char)number(256);
    }
    break;
  case 1: {
    const char *word = words[number(WORDS)];
    insert(at, word, strlen(word));
    break;
  }
  case 2:
    if (at < text_length) {
      size_t length = number((uint32_t)(text_length - at)) % 12 + 1;
      length = length > text_length - at ? text_length - at : length;
      memmove(text + at, text + at + length, text_length - at - length);
      text_length -= length;
    }
    break;
  case 3:
    text_length = at;
    break;
  case 4: {
    char one = (char)number(256);
    insert(at, &one, 1);
    break;
  }
  case 5: {
    static char block[6000];
    memset(block, (int)('a' + number(26)), sizeof block);
    insert(at, block, number(sizeof block));
    break;
  }
  default: {
    const char *seed = seeds[number(SEEDS)];
    size_t from = number((uint32_t)strlen(seed));
    insert(at, seed + from, number((uint32_t)(strlen(seed) - from)));
  }
  }
}

static void expect(int holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "broken: %s; of %zu bytes:\n", what, text_length);
    fwrite(text, 1, text_length, stderr);
    abort();
  }
}

static enum request_kind read_exactly(size_t length, struct request *found) {
  char *copy = malloc(length == 0 ? 1 : length);
  if (copy == NULL) {
    exit(1);
  }
  memcpy(copy, text, length);
  enum request_kind kind = read_request(copy, length, found);
  free(copy);
  return kind;
}

static unsigned long plain;

static void try_request(void) {
  struct request found, again;
  enum request_kind kind = read_exactly(text_length, &found);
  if (kind != PLAIN_CONNECT) {
    return;
  }
  plain++;
  expect(found.head_length <= text_length && found.head_length <= LONGEST_HEAD, "head");
  expect(memcmp(text + found.head_length - 4, "\r\n\r\n", 4) == 0, "end of head");
  expect(found.authority.at == 8 && found.authority.length >= 3, "authority");
  expect(found.authority.at + found.authority.length < found.head_length, "authority's end");
  expect(found.authorization.length > 0 &&
             found.authorization.at + found.authorization.length <= found.head_length - 4,
         "authorization");
  expect(memchr(text + found.authorization.at, '\n', found.authorization.length) == NULL, "line");
  expect(read_exactly(found.head_length, &again) == PLAIN_CONNECT, "without what follows");
  size_t less = number((uint32_t)found.head_length);
  expect(read_exactly(less, &again) == INCOMPLETE, "a part of it");
}

static void try_answer(void) {
  struct verdict found;
  char *copy = malloc(text_length == 0 ? 1 : text_length);
  if (copy == NULL) {
    exit(1);
  }
  memcpy(copy, text, text_length);
  if (text_length > 5) {
    copy[4] = (char)number(3);
    for (size_t at = 5; at + 1 < text_length; at += 2 + (unsigned char)copy[at + 1]) {
      copy[at] = 0; /* lengths that fit, often */
    }
  }
  if (read_answer(copy, text_length, &found) && found.is_tunnel) {
    const struct part parts[] = {found.cluster, found.address, found.tenant, found.target,
                                 found.pass};
    volatile char sum = 0;
    for (size_t i = 0; i < 5; i++) {
      for (size_t j = 0; j < parts[i].length; j++) {
        sum = (char)(sum + parts[i].ptr[j]);
      }
    }
  }
  free(copy);
}

int main(int count, char **words_given) {
  state = count > 1 ? strtoull(words_given[1], NULL, 10) * 2654435761u + 88172645463325252u : 1;
  time_t until = time(NULL) + (count > 2 ? atol(words_given[2]) : 5);
  unsigned long cases = 0;
  while (time(NULL) < until) {
    for (int i = 0; i < 1000; i++, cases++) {
      const char *seed = seeds[number(SEEDS)];
      text_length = 0;
      insert(0, seed, strlen(seed));
      for (uint32_t times = number(6); times > 0; times--) {
        change();
      }
      try_request();
      try_answer();
    }
  }
  printf("%lu cases, %lu of them let through\n", cases, plain);
  return 0;
}
