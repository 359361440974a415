#include "message.h"

#include <string.h>

static char *put_number(char *out, uint32_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; i--) {
    out[i] = (char)(number & 0xff);
    number >>= 8;
  }
  return out + bytes;
}

static uint32_t get_number(const char *in, int bytes) {
  uint32_t number = 0;
  for (int i = 0; i < bytes; i++) {
    number = number << 8 | (unsigned char)in[i];
  }
  return number;
}

static char *put_text(char *out, struct part text) {
  out = put_number(out, (uint32_t)text.length, 2);
  memcpy(out, text.ptr, text.length);
  return out + text.length;
}

size_t write_question(char *out, uint32_t id, uint16_t port, struct part address,
                      struct part authority, struct part authorization) {
  const size_t numbers = HEAD_BYTES + 1 + 4 + 2 + 3 * 2;
  const size_t most = LONGEST_QUESTION - numbers;
  if (address.length > most || authority.length > most - address.length ||
      authorization.length > most - address.length - authority.length) {
    return 0;
  }
  char *at = put_number(out + HEAD_BYTES, ASK, 1);
  at = put_number(at, id, 4);
  at = put_number(at, port, 2);
  at = put_text(at, address);
  at = put_text(at, authority);
  at = put_text(at, authorization);
  size_t length = (size_t)(at - out);
  put_number(out, (uint32_t)(length - HEAD_BYTES), HEAD_BYTES);
  return length;
}

size_t write_news(char *out, uint8_t kind, uint32_t id) {
  put_number(put_number(put_number(out, NEWS_BYTES - HEAD_BYTES, HEAD_BYTES), kind, 1), id, 4);
  return NEWS_BYTES;
}

size_t message_length(const char *head) { return get_number(head, HEAD_BYTES); }

/* Takes a text from the front of what is left. */
static bool take_text(const char **at, size_t *left, struct part *text) {
  if (*left < 2) {
    return false;
  }
  text->length = get_number(*at, 2);
  text->ptr = *at + 2;
  if (text->length > *left - 2) {
    return false;
  }
  *at += 2 + text->length;
  *left -= 2 + text->length;
  return true;
}

bool read_answer(const char *bytes, size_t length, struct verdict *found) {
  if (length < 5) {
    return false;
  }
  memset(found, 0, sizeof *found);
  found->id = get_number(bytes, 4);
  unsigned char kind = (unsigned char)bytes[4];
  const char *at = bytes + 5;
  size_t left = length - 5;
  if (kind == LEAVE_IT) {
    return left == 0;
  }
  if (kind != TUNNEL) {
    return false;
  }
  found->is_tunnel = true;
  return take_text(&at, &left, &found->cluster) && take_text(&at, &left, &found->address) &&
         take_text(&at, &left, &found->tenant) && take_text(&at, &left, &found->target) &&
         take_text(&at, &left, &found->pass) && left == 0;
}
