#include "request.h"

#include <stdbool.h>
#include <string.h>

/* RFC 9110, section 5.6.2. */
static bool is_token(unsigned char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
    return true;
  }
  return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* Of the value of a header: what is visible, and blanks. */
static bool is_value(unsigned char c) { return c == '\t' || (c >= 0x20 && c <= 0x7e); }

static bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

static bool is_name(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '.';
}

static bool is_literal(unsigned char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* Compares with a name in lower case. */
static bool is_called(const char *bytes, struct span what, const char *name) {
  if (what.length != strlen(name)) {
    return false;
  }
  for (size_t i = 0; i < what.length; i++) {
    char c = bytes[what.at + i];
    if (c >= 'A' && c <= 'Z') {
      c = (char)(c - 'A' + 'a');
    }
    if (c != name[i]) {
      return false;
    }
  }
  return true;
}

/* A host, or with `port` also its port: letters, digits, hyphens and dots; or IPv6 in brackets. */
static bool is_authority(const char *bytes, struct span what, bool with_port) {
  const char *text = bytes + what.at;
  size_t i = 0;
  if (what.length > 0 && text[0] == '[') {
    for (i = 1; i < what.length && is_literal((unsigned char)text[i]); i++) {
    }
    if (i < 3 || i >= what.length || text[i] != ']') {
      return false;
    }
    i++;
  } else {
    while (i < what.length && is_name((unsigned char)text[i])) {
      i++;
    }
    if (i == 0) {
      return false;
    }
  }
  if (i == what.length) {
    return !with_port;
  }
  if (text[i] != ':') {
    return false;
  }
  size_t digits = what.length - i - 1;
  if (digits < 1 || digits > 5) {
    return false;
  }
  for (i++; i < what.length; i++) {
    if (!is_digit((unsigned char)text[i])) {
      return false;
    }
  }
  return true;
}

/* Where a line ends that begins at `at`: the place of its CR LF, or `length` where there is none. */
static size_t end_of_line(const char *bytes, size_t length, size_t at) {
  const char *found = memchr(bytes + at, '\n', length - at);
  if (found == NULL) {
    return length;
  }
  size_t end = (size_t)(found - bytes);
  return end > at && bytes[end - 1] == '\r' ? end - 1 : at;
}

/* The request line, without its end. */
static bool read_request_line(const char *bytes, size_t length, struct request *found) {
  static const char method[] = "CONNECT ";
  static const char version[] = " HTTP/1.";
  const size_t before = sizeof method - 1;
  const size_t after = sizeof version; /* and a digit, in place of the NUL */
  if (length <= before + after || memcmp(bytes, method, before) != 0 ||
      memcmp(bytes + length - after, version, after - 1) != 0) {
    return false;
  }
  char minor = bytes[length - 1];
  if (minor != '0' && minor != '1') {
    return false;
  }
  found->minor = minor - '0';
  found->authority.at = before;
  found->authority.length = length - before - after;
  return is_authority(bytes, found->authority, true);
}

static bool is_left_to_envoy(const char *bytes, struct span name) {
  static const char *const special[] = {"content-length", "transfer-encoding", "upgrade", "te",
                                        "trailer", "expect", "http2-settings", "keep-alive"};
  for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
    if (is_called(bytes, name, special[i])) {
      return true;
    }
  }
  return false;
}

/* A line of a header, from `at` to `end`. */
static bool read_header(const char *bytes, size_t at, size_t end, struct request *found,
                        int *hosts) {
  struct span name = {at, 0};
  while (at < end && is_token((unsigned char)bytes[at])) {
    at++;
  }
  name.length = at - name.at;
  if (name.length == 0 || at == end || bytes[at] != ':') {
    return false;
  }
  at++;
  while (at < end && is_blank(bytes[at])) {
    at++;
  }
  while (end > at && is_blank(bytes[end - 1])) {
    end--;
  }
  for (size_t i = at; i < end; i++) {
    if (!is_value((unsigned char)bytes[i])) {
      return false;
    }
  }
  struct span value = {at, end - at};
  if (is_called(bytes, name, "proxy-authorization")) {
    if (found->authorization.length != 0 || value.length == 0) {
      return false;
    }
    found->authorization = value;
    return true;
  }
  if (is_called(bytes, name, "host")) {
    (*hosts)++;
    return *hosts == 1 && is_authority(bytes, value, false);
  }
  if (is_called(bytes, name, "connection") || is_called(bytes, name, "proxy-connection")) {
    return found->minor == 1 && is_called(bytes, value, "keep-alive");
  }
  return !is_left_to_envoy(bytes, name);
}

/* Whether what came so far may go on as a CONNECT. */
static enum request_kind unfinished(const char *bytes, size_t length) {
  static const char method[] = "CONNECT ";
  size_t known = length < sizeof method - 1 ? length : sizeof method - 1;
  if (length >= LONGEST_HEAD || memcmp(bytes, method, known) != 0) {
    return OTHER;
  }
  return INCOMPLETE;
}

enum request_kind read_request(const char *bytes, size_t length, struct request *found) {
  struct request read = {{0, 0}, {0, 0}, 0, 0};
  if (length == 0) {
    return INCOMPLETE;
  }
  size_t end = end_of_line(bytes, length, 0);
  if (end == length) {
    return unfinished(bytes, length);
  }
  if (!read_request_line(bytes, end, &read)) {
    return OTHER;
  }
  int hosts = 0;
  for (int lines = 0; lines <= MOST_HEADERS; lines++) {
    size_t at = end + 2;
    end = end_of_line(bytes, length, at);
    if (end == length) {
      return unfinished(bytes, length);
    }
    if (end == at) {
      /* A line that ends in LF alone looks empty, too. */
      if (bytes[at] != '\r' || bytes[at + 1] != '\n') {
        return OTHER;
      }
      read.head_length = at + 2;
      if (read.head_length > LONGEST_HEAD || read.authorization.length == 0) {
        return OTHER;
      }
      *found = read;
      return PLAIN_CONNECT;
    }
    if (!read_header(bytes, at, end, &read, &hosts)) {
      return OTHER;
    }
  }
  return OTHER;
}
