/* Filter: how does a connection become a tunnel without Envoy's HTTP connection manager?
 *
 * A plain CONNECT behind TLS is shown to the host service. Who is let in goes to the target by
 * Envoy's tcp_proxy, and is told so once that is connected. All else - what is no plain CONNECT, who
 * is refused, a target that does not answer, a host service that cannot be asked - is handed over to
 * the HTTP connection manager, in the same process, with every byte that has come. So there is one
 * place that knows what is refused, how, and with which words.
 *
 * The bytes that come before there is a tunnel are kept here, and taken from Envoy's buffer as they
 * come: only then they can be given to either side. tcp_proxy tries twice: first the target, then the
 * connection manager.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "asker.h"
#include "envoy_abi.h"
#include "request.h"

/* What is kept of a connection at most: a head, and what is sent along with it. */
enum { MOST_HELD = 64 * 1024, FIRST_ROOM = 1024, MOST_CHUNKS = 64, CONNECTING_BUCKETS = 1024 };

enum state {
  READING,    /* of the head */
  ASKING,     /* the host service */
  CONNECTING, /* to the target */
  HANDING_OVER,
  CLOSED,
};

/* What Envoy knows as its filter: there are tens of thousands while tunnels are open. */
struct handle {
  struct filter *filter; /* NULL once tcp_proxy alone carries the connection */
};

struct filter {
  struct handle *handle;
  struct waiter waiter;
  void *envoy;
  struct filter *next_connecting;
  uint64_t connection_id;
  char *held;
  size_t held_length, held_room;
  size_t head_length;
  char *answer; /* of the host service, while its target is connected */
  size_t answer_length;
  enum state state;
  int minor;
  bool is_connecting; /* in `connecting` */
  bool is_paused;
  bool has_begun; /* a part of the head is there */
  bool has_ended; /* the client sends no more */
};

/* Those whose connection is being made, for the access logger, which knows only the number. A
 * connection belongs to one worker for its life. */
static __thread struct filter *connecting[CONNECTING_BUCKETS];

/* Where requests go that are not settled here: names a cluster. */
static const char requests[] = "requests";

#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})
#define CLUSTER TEXT("envoy.tcp_proxy.cluster")
#define ADDRESS TEXT("envoy.network.transport_socket.original_dst_address")
#define METADATA TEXT("envoy.filters.http.ext_authz")

static struct text text_of(struct part part) { return (struct text){part.ptr, part.length}; }

static void note_connecting(struct filter *filter) {
  if (filter->is_connecting) {
    return;
  }
  struct filter **bucket = &connecting[filter->connection_id % CONNECTING_BUCKETS];
  filter->next_connecting = *bucket;
  *bucket = filter;
  filter->is_connecting = true;
}

static void forget_connecting(struct filter *filter) {
  if (!filter->is_connecting) {
    return;
  }
  struct filter **at = &connecting[filter->connection_id % CONNECTING_BUCKETS];
  while (*at != filter) {
    at = &(*at)->next_connecting;
  }
  *at = filter->next_connecting;
  filter->is_connecting = false;
}

/* Somebody carries the bytes, or nobody will: all is over with what was needed until then. */
static void let_go(struct filter *filter) {
  forget_connecting(filter);
  forget_waiter(&filter->waiter);
  if (filter->waiter.scheduler != NULL) {
    envoy_dynamic_module_callback_network_filter_scheduler_delete(filter->waiter.scheduler);
  }
  free(filter->held);
  free(filter->answer);
  filter->handle->filter = NULL;
  free(filter);
}

static void hang_up(struct filter *filter) {
  envoy_dynamic_module_callback_network_filter_close(filter->envoy, FLUSH_WRITE);
}

/* Moves what has come out of Envoy's buffer. Whether there was room. */
static bool hold(struct filter *filter, size_t length) {
  size_t count =
      envoy_dynamic_module_callback_network_filter_get_read_buffer_chunks_size(filter->envoy);
  struct text few[MOST_CHUNKS];
  struct text *chunks = few;
  if (length == 0 || count == 0) {
    return true;
  }
  if (length > filter->held_room - filter->held_length) {
    size_t room = filter->held_room == 0 ? FIRST_ROOM : filter->held_room;
    while (room < filter->held_length + length) {
      room *= 2;
    }
    char *more = realloc(filter->held, room);
    if (more == NULL) {
      return false;
    }
    filter->held = more;
    filter->held_room = room;
  }
  if (count > MOST_CHUNKS && (chunks = calloc(count, sizeof *chunks)) == NULL) {
    return false;
  }
  bool is_there =
      envoy_dynamic_module_callback_network_filter_get_read_buffer_chunks(filter->envoy, chunks);
  size_t copied = 0;
  for (size_t i = 0; is_there && i < count && copied < length; i++) {
    size_t most = length - copied;
    size_t part = chunks[i].length < most ? chunks[i].length : most;
    memcpy(filter->held + filter->held_length + copied, chunks[i].ptr, part);
    copied += part;
  }
  if (chunks != few) {
    free(chunks);
  }
  if (copied != length) {
    return false;
  }
  filter->held_length += length;
  envoy_dynamic_module_callback_network_filter_drain_read_buffer(filter->envoy, length);
  if (filter->held_length >= MOST_HELD && !filter->is_paused) {
    filter->is_paused = true;
    envoy_dynamic_module_callback_network_filter_read_disable(filter->envoy, true);
  }
  return true;
}

static void go_to(struct filter *filter, struct text cluster) {
  envoy_dynamic_module_callback_network_set_filter_state_typed(filter->envoy, CLUSTER, cluster);
  note_connecting(filter);
}

/* Has the connection manager take over, once tcp_proxy goes on. */
static void hand_over(struct filter *filter) {
  filter->state = HANDING_OVER;
  /* Whoever had a tunnel from the same port is not taken for this one by the connection manager. */
  tell_held();
  go_to(filter, TEXT(requests));
}

/* What a certificate is worth is said where it can be looked at: it goes along within Envoy. Where
 * Envoy does not know whether there is one, there may be. */
static bool shows_certificate(const struct filter *filter) {
  bool is_shown = true;
  return !envoy_dynamic_module_callback_network_filter_get_attribute_bool(
             filter->envoy, PEER_CERTIFICATE_PRESENTED, &is_shown) ||
         is_shown;
}

/* The address and port that the client comes from are known, or else nobody is let in here. */
static bool ask_for(struct filter *filter, const struct request *request) {
  struct text address = {NULL, 0};
  uint32_t port = 0;
  if (!envoy_dynamic_module_callback_network_filter_get_remote_address(filter->envoy, &address,
                                                                       &port) ||
      port > UINT16_MAX) {
    return false;
  }
  struct part from = {address.ptr, address.length};
  struct part authority = {filter->held + request->authority.at, request->authority.length};
  struct part authorization = {filter->held + request->authorization.at,
                               request->authorization.length};
  return ask(&filter->waiter, (uint16_t)port, from, authority, authorization);
}

/* Looks at what has come of the head. */
static int read_head(struct filter *filter) {
  struct request request;
  switch (read_request(filter->held, filter->held_length, &request)) {
  case INCOMPLETE:
    if (!filter->has_begun) {
      filter->has_begun = true;
      set_timer(&filter->waiter, REST_OF_HEAD);
    }
    return STOP_ITERATION;
  case PLAIN_CONNECT:
    if (shows_certificate(filter)) {
      break;
    }
    filter->head_length = request.head_length;
    filter->minor = request.minor;
    filter->state = ASKING;
    if (ask_for(filter, &request)) {
      return STOP_ITERATION;
    }
    break;
  case OTHER:
    break;
  }
  hand_over(filter);
  return CONTINUE; /* tcp_proxy begins */
}

static void put_date(char *out, size_t room) {
  static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  time_t now = time(NULL);
  struct tm at;
  gmtime_r(&now, &at);
  snprintf(out, room, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[at.tm_wday], at.tm_mday,
           months[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
}

static void say_established(struct filter *filter) {
  char date[64];
  char said[192];
  put_date(date, sizeof date);
  int length = snprintf(said, sizeof said, "HTTP/1.%d 200 OK\r\ndate: %s\r\nserver: cloudgate\r\n\r\n",
                        filter->minor, date);
  envoy_dynamic_module_callback_network_filter_write(filter->envoy,
                                                     (struct text){said, (size_t)length}, false);
}

/* What the access log says of the tunnel; from here on there is one. */
static void note_metadata(struct filter *filter, const struct verdict *verdict) {
  const struct {
    struct text key;
    struct part value;
  } said[] = {
      {TEXT("tenant"), verdict->tenant},
      {TEXT("target"), verdict->target},
      {TEXT("pass"), verdict->pass},
  };
  for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
    envoy_dynamic_module_callback_network_set_dynamic_metadata_string(
        filter->envoy, METADATA, said[i].key, text_of(said[i].value));
  }
}

static void pass_on(struct filter *filter, size_t from) {
  struct text rest = {filter->held + from, filter->held_length - from};
  if (rest.length > 0 || filter->has_ended) {
    envoy_dynamic_module_callback_network_filter_inject_read_data(filter->envoy, rest,
                                                                  filter->has_ended);
  }
}

/* tcp_proxy is connected: with the target, or with the connection manager. */
static void connected(struct filter *filter) {
  struct text cluster = {NULL, 0};
  struct verdict verdict;
  bool is_handed_over =
      envoy_dynamic_module_callback_network_filter_get_upstream_host_cluster(filter->envoy,
                                                                             &cluster) &&
      cluster.length == sizeof requests - 1 && memcmp(cluster.ptr, requests, cluster.length) == 0;
  if (is_handed_over) {
    pass_on(filter, 0);
  } else if (filter->state == CONNECTING &&
             read_answer(filter->answer, filter->answer_length, &verdict)) {
    note_metadata(filter, &verdict);
    tell_begun(&filter->waiter);
    /* tcp_proxy would let who has ended its direction wait for as long as its target likes; a tunnel
     * by the connection manager ends then, with what was sent before on its way. */
    envoy_dynamic_module_callback_network_filter_enable_half_close(filter->envoy, false);
    say_established(filter);
    pass_on(filter, filter->head_length);
  } else {
    hang_up(filter);
  }
  if (filter->state == CLOSED) {
    return;
  }
  if (filter->is_paused) {
    filter->is_paused = false;
    envoy_dynamic_module_callback_network_filter_read_disable(filter->envoy, false);
  }
  let_go(filter);
}

static void follow(struct filter *filter) {
  struct handle *handle = filter->handle;
  struct verdict verdict;
  filter->answer = take_answer(&filter->waiter, &filter->answer_length);
  if (filter->answer == NULL || !read_answer(filter->answer, filter->answer_length, &verdict) ||
      !verdict.is_tunnel) {
    hand_over(filter);
    envoy_dynamic_module_callback_network_filter_continue_reading(filter->envoy);
    return;
  }
  filter->state = CONNECTING;
  envoy_dynamic_module_callback_network_set_filter_state_typed(filter->envoy, ADDRESS,
                                                               text_of(verdict.address));
  go_to(filter, text_of(verdict.cluster));
  envoy_dynamic_module_callback_network_filter_continue_reading(filter->envoy);
  if (handle->filter != NULL && filter->state == CONNECTING) {
    /* The second attempt is made in a later turn of the loop, and looks again where to go. */
    go_to(filter, TEXT(requests));
  }
}

const char *envoy_dynamic_module_on_program_init(void) { return CLOUDGATE_ENVOY_ABI; }

const void *envoy_dynamic_module_on_network_filter_config_new(void *envoy, struct text name,
                                                              struct text config) {
  static const char there[] = "";
  (void)envoy;
  (void)name;
  return start_asker(config.ptr, config.length) ? there : NULL;
}

void envoy_dynamic_module_on_network_filter_config_destroy(const void *config) { (void)config; }

void *envoy_dynamic_module_on_network_filter_new(const void *config, void *envoy) {
  (void)config;
  struct handle *handle = calloc(1, sizeof *handle);
  struct filter *filter = calloc(1, sizeof *filter);
  if (handle == NULL || filter == NULL) {
    free(handle);
    free(filter);
    return NULL;
  }
  handle->filter = filter;
  filter->handle = handle;
  filter->envoy = envoy;
  filter->waiter.timer = NO_TIMER;
  filter->state = READING;
  return handle;
}

static struct filter *filter_of(void *given) { return ((struct handle *)given)->filter; }

int envoy_dynamic_module_on_network_filter_new_connection(void *envoy, void *given) {
  struct filter *filter = filter_of(given);
  filter->connection_id = envoy_dynamic_module_callback_network_filter_get_connection_id(envoy);
  return STOP_ITERATION;
}

int envoy_dynamic_module_on_network_filter_read(void *envoy, void *given, size_t length, bool end) {
  struct filter *filter = filter_of(given);
  (void)envoy;
  if (filter == NULL) {
    return CONTINUE;
  }
  switch (filter->state) {
  case CLOSED:
    return STOP_ITERATION;
  case READING:
  case ASKING:
  case CONNECTING:
    /* As with the connection manager, who ends its direction before there is a tunnel gives up. */
    if (end || filter->waiter.scheduler == NULL || !hold(filter, length)) {
      hang_up(filter);
      return STOP_ITERATION;
    }
    return filter->state == READING ? read_head(filter) : STOP_ITERATION;
  case HANDING_OVER:
    filter->has_ended = filter->has_ended || end;
    if (!hold(filter, length)) {
      hang_up(filter);
    }
    return STOP_ITERATION;
  }
  return STOP_ITERATION;
}

int envoy_dynamic_module_on_network_filter_write(void *envoy, void *filter, size_t length,
                                                 bool end) {
  (void)envoy;
  (void)filter;
  (void)length;
  (void)end;
  return CONTINUE;
}

void envoy_dynamic_module_on_network_filter_event(void *envoy, void *given, int event) {
  struct filter *filter = filter_of(given);
  if (filter == NULL) {
    return;
  }
  if (event == CONNECTED && filter->state == READING && filter->waiter.scheduler == NULL) {
    filter->waiter.scheduler = envoy_dynamic_module_callback_network_filter_scheduler_new(envoy);
    if (filter->waiter.scheduler != NULL) {
      set_timer(&filter->waiter, FIRST_BYTE);
    }
  }
  if (event == REMOTE_CLOSE || event == LOCAL_CLOSE) {
    if (filter->state == ASKING || filter->state == CONNECTING) {
      tell_gone(&filter->waiter);
    }
    filter->state = CLOSED;
    forget_connecting(filter);
    forget_waiter(&filter->waiter);
  }
}

void envoy_dynamic_module_on_network_filter_scheduled(void *envoy, void *given, uint64_t event) {
  struct filter *filter = filter_of(given);
  (void)envoy;
  if (filter == NULL) {
    return;
  }
  if (event == ANSWERED && filter->state == ASKING) {
    follow(filter);
  } else if (event == LATE && filter->state == READING && filter->held_length == 0) {
    hang_up(filter);
  } else if (event == LATE && (filter->state == READING || filter->state == ASKING)) {
    if (filter->state == ASKING) {
      tell_gone(&filter->waiter);
    }
    hand_over(filter);
    envoy_dynamic_module_callback_network_filter_continue_reading(filter->envoy);
  }
}

void envoy_dynamic_module_on_network_filter_destroy(void *given) {
  struct filter *filter = filter_of(given);
  if (filter != NULL) {
    let_go(filter);
  }
  free(given);
}

const void *envoy_dynamic_module_on_access_logger_config_new(void *envoy, struct text name,
                                                             struct text config) {
  static const char there[] = "";
  (void)envoy;
  (void)name;
  (void)config;
  return there;
}

void envoy_dynamic_module_on_access_logger_config_destroy(const void *config) { (void)config; }

void *envoy_dynamic_module_on_access_logger_new(const void *config, void *envoy) {
  static char there;
  (void)config;
  (void)envoy;
  return &there;
}

void envoy_dynamic_module_on_access_logger_log(void *envoy, void *logger, int type) {
  (void)logger;
  if (type != TCP_UPSTREAM_CONNECTED) {
    return;
  }
  uint64_t id = envoy_dynamic_module_callback_access_logger_get_connection_id(envoy);
  struct filter *filter = connecting[id % CONNECTING_BUCKETS];
  while (filter != NULL && filter->connection_id != id) {
    filter = filter->next_connecting;
  }
  if (filter != NULL) {
    connected(filter);
  }
}

void envoy_dynamic_module_on_access_logger_destroy(void *logger) { (void)logger; }
