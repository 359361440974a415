/* Envoy's interface for dynamic modules: which of its functions are called here, and which are ours?
 *
 * As in source/extensions/dynamic_modules/abi/abi.h of the Envoy that pyproject.toml names, which
 * promises nothing to modules that were made for another version: `build.py` pins both together.
 */
#ifndef CLOUDGATE_ENVOY_ABI_H
#define CLOUDGATE_ENVOY_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
  const char *ptr;
  size_t length;
};

/* What a filter says of data: whether the next filter may have it. */
enum { CONTINUE = 0, STOP_ITERATION = 1 };
/* What happens to a connection. */
enum { REMOTE_CLOSE = 0, LOCAL_CLOSE = 1, CONNECTED = 2 };
/* How a connection is closed: once what waits to be sent is sent. */
enum { FLUSH_WRITE = 0 };
/* Of which moment a line of the access log is (Envoy: AccessLogType). */
enum { TCP_UPSTREAM_CONNECTED = 1 };
/* What can be asked of a connection (Envoy: connection.mtls). */
enum { PEER_CERTIFICATE_PRESENTED = 29 };

/* Of Envoy. */
size_t envoy_dynamic_module_callback_network_filter_get_read_buffer_chunks_size(void *filter);
bool envoy_dynamic_module_callback_network_filter_get_read_buffer_chunks(void *filter,
                                                                         struct text *chunks);
bool envoy_dynamic_module_callback_network_filter_drain_read_buffer(void *filter, size_t length);
void envoy_dynamic_module_callback_network_filter_write(void *filter, struct text data, bool end);
void envoy_dynamic_module_callback_network_filter_inject_read_data(void *filter, struct text data,
                                                                   bool end);
void envoy_dynamic_module_callback_network_filter_continue_reading(void *filter);
void envoy_dynamic_module_callback_network_filter_close(void *filter, int how);
int envoy_dynamic_module_callback_network_filter_read_disable(void *filter, bool disable);
void envoy_dynamic_module_callback_network_filter_enable_half_close(void *filter, bool enabled);
uint64_t envoy_dynamic_module_callback_network_filter_get_connection_id(void *filter);
bool envoy_dynamic_module_callback_network_filter_get_remote_address(void *filter,
                                                                     struct text *address,
                                                                     uint32_t *port);
bool envoy_dynamic_module_callback_network_filter_get_upstream_host_cluster(void *filter,
                                                                            struct text *name);
bool envoy_dynamic_module_callback_network_set_filter_state_typed(void *filter, struct text key,
                                                                  struct text value);
bool envoy_dynamic_module_callback_network_filter_get_attribute_bool(void *filter, int attribute,
                                                                     bool *value);
void envoy_dynamic_module_callback_network_set_dynamic_metadata_string(void *filter,
                                                                       struct text space,
                                                                       struct text key,
                                                                       struct text value);
void *envoy_dynamic_module_callback_network_filter_scheduler_new(void *filter);
void envoy_dynamic_module_callback_network_filter_scheduler_commit(void *scheduler, uint64_t event);
void envoy_dynamic_module_callback_network_filter_scheduler_delete(void *scheduler);
uint64_t envoy_dynamic_module_callback_access_logger_get_connection_id(void *logger);

/* Ours. */
#define EXPORTED __attribute__((visibility("default")))
EXPORTED const char *envoy_dynamic_module_on_program_init(void);
EXPORTED const void *envoy_dynamic_module_on_network_filter_config_new(void *envoy, struct text name,
                                                                       struct text config);
EXPORTED void envoy_dynamic_module_on_network_filter_config_destroy(const void *config);
EXPORTED void *envoy_dynamic_module_on_network_filter_new(const void *config, void *envoy);
EXPORTED int envoy_dynamic_module_on_network_filter_new_connection(void *envoy, void *filter);
EXPORTED int envoy_dynamic_module_on_network_filter_read(void *envoy, void *filter, size_t length,
                                                         bool end);
EXPORTED int envoy_dynamic_module_on_network_filter_write(void *envoy, void *filter, size_t length,
                                                          bool end);
EXPORTED void envoy_dynamic_module_on_network_filter_event(void *envoy, void *filter, int event);
EXPORTED void envoy_dynamic_module_on_network_filter_scheduled(void *envoy, void *filter,
                                                               uint64_t event);
EXPORTED void envoy_dynamic_module_on_network_filter_destroy(void *filter);
EXPORTED const void *envoy_dynamic_module_on_access_logger_config_new(void *envoy, struct text name,
                                                                      struct text config);
EXPORTED void envoy_dynamic_module_on_access_logger_config_destroy(const void *config);
EXPORTED void *envoy_dynamic_module_on_access_logger_new(const void *config, void *envoy);
EXPORTED void envoy_dynamic_module_on_access_logger_log(void *envoy, void *logger, int type);
EXPORTED void envoy_dynamic_module_on_access_logger_destroy(void *logger);

#endif
