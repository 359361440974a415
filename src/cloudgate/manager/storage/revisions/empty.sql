CREATE TABLE account_identities (
	account_id CHAR(32) NOT NULL, 
	issuer VARCHAR(500) NOT NULL, 
	subject VARCHAR(255) NOT NULL, 
	CONSTRAINT pk_account_identities PRIMARY KEY (account_id), 
	CONSTRAINT uq_account_identities_issuer UNIQUE (issuer, subject), 
	CONSTRAINT fk_account_identities_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
);
CREATE TABLE account_roles (
	account_id CHAR(32) NOT NULL, 
	role_id CHAR(32) NOT NULL, 
	CONSTRAINT pk_account_roles PRIMARY KEY (account_id, role_id), 
	CONSTRAINT fk_account_roles_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
);
CREATE TABLE "accounts" (
	id CHAR(32) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	password_hash TEXT NOT NULL, 
	kind VARCHAR(16) DEFAULT 'User' NOT NULL, 
	restores_all_vms BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_accounts PRIMARY KEY (id), 
	CONSTRAINT uq_accounts_name UNIQUE (name)
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0041');
CREATE TABLE api_tokens (
	id CHAR(32) NOT NULL, 
	account_id CHAR(32) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	role_id CHAR(32) NOT NULL, 
	secret_hash VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	ends_at DATETIME NOT NULL, 
	used_at DATETIME, 
	CONSTRAINT pk_api_tokens PRIMARY KEY (id), 
	CONSTRAINT uq_api_tokens_secret_hash UNIQUE (secret_hash), 
	CONSTRAINT uq_api_tokens_account_id UNIQUE (account_id, name), 
	CONSTRAINT fk_api_tokens_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
);
CREATE TABLE audit_chain (
	id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	hash VARCHAR(64) NOT NULL, 
	anchor_number INTEGER NOT NULL, 
	anchor_hash VARCHAR(64) NOT NULL, 
	seal VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit_chain PRIMARY KEY (id)
);
INSERT INTO "audit_chain" VALUES(1,0,'0000000000000000000000000000000000000000000000000000000000000000',0,'0000000000000000000000000000000000000000000000000000000000000000','');
CREATE TABLE audit_events (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DATETIME NOT NULL, 
	account VARCHAR(255) NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	code INTEGER NOT NULL, 
	severity VARCHAR(16) NOT NULL, 
	operation VARCHAR(64) NOT NULL, 
	text TEXT NOT NULL, 
	object_type VARCHAR(64) NOT NULL, 
	object_id CHAR(32), 
	object_name TEXT NOT NULL, 
	"before" JSON, 
	"after" JSON, 
	success BOOLEAN NOT NULL, 
	message TEXT NOT NULL
, hash VARCHAR(64) DEFAULT '' NOT NULL);
CREATE TABLE backup_servers (
	id CHAR(32) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	description TEXT NOT NULL, 
	port INTEGER NOT NULL, 
	user_name TEXT NOT NULL, 
	wcf_port INTEGER, 
	certificate_thumbprint TEXT NOT NULL, site_revision INTEGER DEFAULT '0' NOT NULL, pool_drain_seconds INTEGER, pool_drain VARCHAR(32) DEFAULT '' NOT NULL, 
	CONSTRAINT pk_backup_servers PRIMARY KEY (id), 
	CONSTRAINT uq_backup_servers_name UNIQUE (name)
);
CREATE TABLE certificate_orders (
	id CHAR(32) NOT NULL, 
	gateway_id CHAR(32), 
	certificate_id CHAR(32), 
	wish JSON NOT NULL, 
	sealed_account_key TEXT NOT NULL, 
	next_attempt_at DATETIME, 
	failures INTEGER NOT NULL, 
	problem TEXT NOT NULL, 
	CONSTRAINT pk_certificate_orders PRIMARY KEY (id), 
	CONSTRAINT fk_certificate_orders_gateway_id_cloud_gateways FOREIGN KEY(gateway_id) REFERENCES cloud_gateways (id) ON DELETE CASCADE, 
	CONSTRAINT fk_certificate_orders_certificate_id_cloud_certificates FOREIGN KEY(certificate_id) REFERENCES cloud_certificates (id) ON DELETE CASCADE, 
	CONSTRAINT uq_certificate_orders_certificate_id UNIQUE (certificate_id)
);
CREATE TABLE cloud_certificates (
	id CHAR(32) NOT NULL, 
	gateway_id CHAR(32), 
	name TEXT NOT NULL, 
	chain_pem TEXT NOT NULL, 
	sealed_key TEXT NOT NULL, 
	CONSTRAINT pk_cloud_certificates PRIMARY KEY (id), 
	CONSTRAINT fk_cloud_certificates_gateway_id_cloud_gateways FOREIGN KEY(gateway_id) REFERENCES cloud_gateways (id) ON DELETE CASCADE, 
	CONSTRAINT uq_cloud_certificates_gateway_id UNIQUE (gateway_id)
);
CREATE TABLE "cloud_gateways" (
	id CHAR(32) NOT NULL, 
	managed_server_id CHAR(32) NOT NULL, 
	backup_server_id CHAR(32) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	wanted JSON NOT NULL, 
	confirmed JSON, 
	removing BOOLEAN NOT NULL, 
	certificate_pem TEXT NOT NULL, 
	pool_id CHAR(32), drain_seconds INTEGER, reach_warning TEXT DEFAULT '' NOT NULL, certificate_warning TEXT DEFAULT '' NOT NULL, drain VARCHAR(32) DEFAULT '' NOT NULL, told_address TEXT DEFAULT '' NOT NULL, reached_address TEXT, 
	CONSTRAINT pk_cloud_gateways PRIMARY KEY (id), 
	CONSTRAINT uq_cloud_gateways_managed_server_id UNIQUE (managed_server_id), 
	CONSTRAINT fk_cloud_gateways_managed_server_id_managed_servers FOREIGN KEY(managed_server_id) REFERENCES managed_servers (id), 
	CONSTRAINT fk_cloud_gateways_backup_server_id_backup_servers FOREIGN KEY(backup_server_id) REFERENCES backup_servers (id), 
	CONSTRAINT fk_cloud_gateways_pool_id_gateway_pools FOREIGN KEY(pool_id) REFERENCES gateway_pools (id) ON DELETE SET NULL
);
CREATE TABLE "cloud_tenants" (
	id CHAR(32) NOT NULL, 
	backup_server_id CHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	login VARCHAR(384) NOT NULL, 
	description TEXT NOT NULL, 
	password_hash TEXT NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	expires_at DATETIME, 
	public_ip_count INTEGER NOT NULL, 
	backup_protection_enabled BOOLEAN NOT NULL, 
	backup_protection_period INTEGER NOT NULL, 
	failover_to_others BOOLEAN NOT NULL, 
	directory_revision INTEGER NOT NULL, 
	tunnels_end_before DATETIME, 
	last_active_at DATETIME, 
	limits JSON, 
	target_ends JSON DEFAULT '{}' NOT NULL, 
	networks JSON, 
	outside_end_before DATETIME, 
	old_password_hash TEXT DEFAULT ('') NOT NULL, 
	old_password_until DATETIME, 
	old_password_used_at DATETIME, 
	egress_month VARCHAR(7) DEFAULT ('') NOT NULL, 
	egress_bytes BIGINT DEFAULT '0' NOT NULL, 
	may_change_password BOOLEAN DEFAULT 0 NOT NULL, 
	may_use_portal BOOLEAN DEFAULT 1 NOT NULL, 
	may_get_certificates BOOLEAN DEFAULT 0 NOT NULL, 
	CONSTRAINT pk_cloud_tenants PRIMARY KEY (id), 
	CONSTRAINT fk_cloud_tenants_backup_server_id_backup_servers FOREIGN KEY(backup_server_id) REFERENCES backup_servers (id)
);
CREATE TABLE counted_batches (
	managed_server_id CHAR(32) NOT NULL, 
	name VARCHAR(32) NOT NULL, 
	heard_at DATETIME NOT NULL, 
	CONSTRAINT pk_counted_batches PRIMARY KEY (managed_server_id, name), 
	CONSTRAINT fk_counted_batches_managed_server_id_managed_servers FOREIGN KEY(managed_server_id) REFERENCES managed_servers (id) ON DELETE CASCADE
);
CREATE TABLE counters (
	name VARCHAR(32) NOT NULL, 
	value INTEGER NOT NULL, 
	CONSTRAINT pk_counters PRIMARY KEY (name)
);
CREATE TABLE credentials (
	id CHAR(32) NOT NULL, 
	backup_server_id CHAR(32) NOT NULL, 
	user_name TEXT NOT NULL, 
	description TEXT NOT NULL, 
	sealed_password TEXT NOT NULL, 
	CONSTRAINT pk_credentials PRIMARY KEY (id), 
	CONSTRAINT fk_credentials_backup_server_id_backup_servers FOREIGN KEY(backup_server_id) REFERENCES backup_servers (id) ON DELETE CASCADE
);
CREATE TABLE directory_revisions (
	revision INTEGER NOT NULL, 
	CONSTRAINT pk_directory_revisions PRIMARY KEY (revision)
);
CREATE TABLE former_names (
	id CHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	CONSTRAINT pk_former_names PRIMARY KEY (id)
);
CREATE TABLE gateway_pools (
	id CHAR(32) NOT NULL, 
	backup_server_id CHAR(32) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	description TEXT NOT NULL, 
	CONSTRAINT pk_gateway_pools PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_pools_backup_server_id_backup_servers FOREIGN KEY(backup_server_id) REFERENCES backup_servers (id)
);
CREATE TABLE held_back_times (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DATETIME NOT NULL, 
	minutes INTEGER NOT NULL, 
	tenant_id CHAR(32) NOT NULL, 
	limit_seconds BIGINT NOT NULL, 
	share_seconds BIGINT NOT NULL, 
	CONSTRAINT fk_held_back_times_tenant_id_cloud_tenants FOREIGN KEY(tenant_id) REFERENCES cloud_tenants (id) ON DELETE CASCADE
);
CREATE TABLE installation_marks (
	name VARCHAR(32) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_installation_marks PRIMARY KEY (name)
);
CREATE TABLE "logon_sessions" (
	id CHAR(32) NOT NULL, 
	account_id CHAR(32) NOT NULL, 
	version VARCHAR(16) NOT NULL, 
	created_at DATETIME NOT NULL, 
	used_at DATETIME NOT NULL, 
	tenant_id CHAR(32), came_by VARCHAR(32), 
	CONSTRAINT pk_logon_sessions PRIMARY KEY (id), 
	CONSTRAINT fk_logon_sessions_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE, 
	CONSTRAINT fk_logon_sessions_tenant_id_cloud_tenants FOREIGN KEY(tenant_id) REFERENCES cloud_tenants (id) ON DELETE CASCADE
);
CREATE TABLE maintenance (
	id INTEGER NOT NULL, 
	since DATETIME NOT NULL, 
	message TEXT NOT NULL, 
	restores_allowed BOOLEAN NOT NULL, 
	CONSTRAINT pk_maintenance PRIMARY KEY (id)
);
CREATE TABLE "managed_servers" (
	id CHAR(32) NOT NULL, 
	backup_server_id CHAR(32) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	description TEXT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	local BOOLEAN NOT NULL, 
	join_token_hash VARCHAR(64), 
	join_token_expires_at DATETIME, 
	credential_hash VARCHAR(64), 
	facts JSON, 
	seen_at DATETIME, 
	assignment_revision INTEGER NOT NULL, 
	reported_revision INTEGER, 
	reported_state VARCHAR(16) NOT NULL, 
	live_tunnels INTEGER NOT NULL, 
	credential_made_at DATETIME, 
	next_credential_hash VARCHAR(64), 
	machine VARCHAR(64) DEFAULT ('') NOT NULL, 
	online_since DATETIME, 
	warning TEXT DEFAULT ('') NOT NULL, 
	usage_batch VARCHAR(32) DEFAULT ('') NOT NULL, 
	usage_told_until DATETIME, 
	seen_addresses TEXT DEFAULT ('') NOT NULL, 
	scope JSON, 
	report JSON, 
	CONSTRAINT pk_managed_servers PRIMARY KEY (id), 
	CONSTRAINT uq_managed_servers_credential_hash UNIQUE (credential_hash), 
	CONSTRAINT fk_managed_servers_backup_server_id_backup_servers FOREIGN KEY(backup_server_id) REFERENCES backup_servers (id), 
	CONSTRAINT uq_managed_servers_next_credential_hash UNIQUE (next_credential_hash), 
	CONSTRAINT uq_managed_servers_join_token_hash UNIQUE (join_token_hash)
);
CREATE TABLE notification_conditions (
	"key" VARCHAR(512) NOT NULL, 
	since DATETIME NOT NULL, 
	level INTEGER NOT NULL, 
	document JSON NOT NULL, 
	CONSTRAINT pk_notification_conditions PRIMARY KEY ("key")
);
CREATE TABLE notification_deliveries (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	receiver_id CHAR(32) NOT NULL, 
	event JSON NOT NULL, 
	at DATETIME NOT NULL, 
	due_at DATETIME NOT NULL, 
	attempts INTEGER NOT NULL, 
	tried_at DATETIME, 
	finished_at DATETIME, 
	success BOOLEAN, 
	problem TEXT NOT NULL, 
	CONSTRAINT fk_notification_deliveries_receiver_id_notification_receivers FOREIGN KEY(receiver_id) REFERENCES notification_receivers (id) ON DELETE CASCADE
);
CREATE TABLE notification_receivers (
	id CHAR(32) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	address TEXT NOT NULL, 
	role VARCHAR(64) NOT NULL, 
	backup_server_id CHAR(32), 
	tenant_id CHAR(32), 
	events JSON, 
	quiet_from VARCHAR(5) NOT NULL, 
	quiet_until VARCHAR(5) NOT NULL, 
	digest_minutes INTEGER NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	secret TEXT NOT NULL, 
	authority_pem TEXT NOT NULL, 
	CONSTRAINT pk_notification_receivers PRIMARY KEY (id), 
	CONSTRAINT uq_notification_receivers_name UNIQUE (name), 
	CONSTRAINT fk_notification_receivers_backup_server_id_backup_servers FOREIGN KEY(backup_server_id) REFERENCES backup_servers (id) ON DELETE CASCADE, 
	CONSTRAINT fk_notification_receivers_tenant_id_cloud_tenants FOREIGN KEY(tenant_id) REFERENCES cloud_tenants (id) ON DELETE CASCADE
);
CREATE TABLE passkeys (
	id CHAR(32) NOT NULL, 
	account_id CHAR(32) NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	credential_id VARCHAR(1400) NOT NULL, 
	public_key TEXT NOT NULL, 
	origin VARCHAR(300) NOT NULL, 
	sign_count BIGINT NOT NULL, 
	created_at DATETIME NOT NULL, 
	used_at DATETIME, 
	CONSTRAINT pk_passkeys PRIMARY KEY (id), 
	CONSTRAINT uq_passkeys_credential_id UNIQUE (credential_id), 
	CONSTRAINT fk_passkeys_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
);
CREATE TABLE password_keys (
	id CHAR(32) NOT NULL, 
	backup_server_id CHAR(32) NOT NULL, 
	hint TEXT NOT NULL, 
	sealed_password TEXT NOT NULL, 
	modified_at DATETIME NOT NULL, 
	CONSTRAINT pk_password_keys PRIMARY KEY (id), 
	CONSTRAINT fk_password_keys_backup_server_id_backup_servers FOREIGN KEY(backup_server_id) REFERENCES backup_servers (id) ON DELETE CASCADE
);
CREATE TABLE pool_stays (
	tenant_id CHAR(32) NOT NULL, 
	pool_id CHAR(32) NOT NULL, 
	since INTEGER NOT NULL, 
	until INTEGER, 
	CONSTRAINT pk_pool_stays PRIMARY KEY (tenant_id, pool_id)
);
CREATE TABLE pool_tenants (
	pool_id CHAR(32) NOT NULL, 
	tenant_id CHAR(32) NOT NULL, 
	CONSTRAINT pk_pool_tenants PRIMARY KEY (pool_id, tenant_id), 
	CONSTRAINT fk_pool_tenants_pool_id_gateway_pools FOREIGN KEY(pool_id) REFERENCES gateway_pools (id) ON DELETE CASCADE, 
	CONSTRAINT fk_pool_tenants_tenant_id_cloud_tenants FOREIGN KEY(tenant_id) REFERENCES cloud_tenants (id) ON DELETE CASCADE
);
CREATE TABLE removed_tenants (
	tenant_id CHAR(32) NOT NULL, 
	backup_server_id CHAR(32) NOT NULL, 
	directory_revision INTEGER NOT NULL, 
	CONSTRAINT pk_removed_tenants PRIMARY KEY (tenant_id), 
	CONSTRAINT fk_removed_tenants_backup_server_id_backup_servers FOREIGN KEY(backup_server_id) REFERENCES backup_servers (id) ON DELETE CASCADE
);
CREATE TABLE repositories (
	id CHAR(32) NOT NULL, 
	backup_server_id CHAR(32) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	description TEXT NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	endpoint VARCHAR(261) NOT NULL, 
	address VARCHAR(261) NOT NULL, usage_probe JSON, sealed_probe_password TEXT DEFAULT '' NOT NULL, capacity_bytes BIGINT, measured_capacity_bytes BIGINT, measured_free_bytes BIGINT, quota_rules JSON, protection JSON, sealed_protection_password TEXT DEFAULT '' NOT NULL, protection_known JSON, 
	CONSTRAINT pk_repositories PRIMARY KEY (id), 
	CONSTRAINT fk_repositories_backup_server_id_backup_servers FOREIGN KEY(backup_server_id) REFERENCES backup_servers (id)
);
CREATE TABLE required_factors (
	role_id CHAR(32) NOT NULL, 
	CONSTRAINT pk_required_factors PRIMARY KEY (role_id)
);
CREATE TABLE second_factors (
	account_id CHAR(32) NOT NULL, 
	sealed_secret TEXT NOT NULL, 
	confirmed BOOLEAN NOT NULL, 
	last_step BIGINT NOT NULL, 
	recovery_marks JSON NOT NULL, 
	CONSTRAINT pk_second_factors PRIMARY KEY (account_id), 
	CONSTRAINT fk_second_factors_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id) ON DELETE CASCADE
);
CREATE TABLE spent_challenges (
	id CHAR(32) NOT NULL, 
	ends_at DATETIME NOT NULL, 
	CONSTRAINT pk_spent_challenges PRIMARY KEY (id)
);
CREATE TABLE subtenants (
	id CHAR(32) NOT NULL, 
	tenant_id CHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	login VARCHAR(384) NOT NULL, 
	description TEXT NOT NULL, 
	password_hash TEXT NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	resource_id CHAR(32) NOT NULL, 
	quota_name TEXT NOT NULL, 
	quota_mb BIGINT, unlimited BOOLEAN DEFAULT 0 NOT NULL, networks JSON, tunnels_end_before DATETIME, outside_end_before DATETIME, old_password_hash TEXT DEFAULT '' NOT NULL, old_password_until DATETIME, old_password_used_at DATETIME, 
	CONSTRAINT pk_subtenants PRIMARY KEY (id), 
	CONSTRAINT fk_subtenants_resource_id_tenant_resources FOREIGN KEY(resource_id) REFERENCES tenant_resources (id) ON DELETE CASCADE, 
	CONSTRAINT fk_subtenants_tenant_id_cloud_tenants FOREIGN KEY(tenant_id) REFERENCES cloud_tenants (id) ON DELETE CASCADE
);
CREATE TABLE "tasks" (
	number INTEGER NOT NULL, 
	operation VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	deadline_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	success BOOLEAN, 
	message TEXT NOT NULL, 
	hidden BOOLEAN NOT NULL, 
	backup_server_id CHAR(32), 
	gateway_id CHAR(32), 
	directory_revision INTEGER, 
	related_type VARCHAR(64) NOT NULL, 
	related_path TEXT NOT NULL, 
	related_name TEXT NOT NULL, 
	audit JSON, 
	certificate_order_id CHAR(32), 
	drains BOOLEAN DEFAULT 0 NOT NULL, 
	account_id CHAR(32), 
	trace VARCHAR(55) NOT NULL, 
	received_at DATETIME, 
	steps JSON, 
	PRIMARY KEY (number)
);
CREATE TABLE tenant_authorities (
	id CHAR(32) NOT NULL, 
	certificate_pem TEXT NOT NULL, 
	sealed_key TEXT NOT NULL, 
	CONSTRAINT pk_tenant_authorities PRIMARY KEY (id)
);
CREATE TABLE tenant_certificates (
	id CHAR(32) NOT NULL, 
	tenant_id CHAR(32) NOT NULL, 
	subtenant_id CHAR(32), 
	certificate_pem TEXT NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	issued_at DATETIME NOT NULL, 
	ends_at DATETIME NOT NULL, 
	password_mark VARCHAR(64) NOT NULL, 
	revoked_at DATETIME, 
	CONSTRAINT pk_tenant_certificates PRIMARY KEY (id), 
	CONSTRAINT fk_tenant_certificates_tenant_id_cloud_tenants FOREIGN KEY(tenant_id) REFERENCES cloud_tenants (id) ON DELETE CASCADE, 
	CONSTRAINT fk_tenant_certificates_subtenant_id_subtenants FOREIGN KEY(subtenant_id) REFERENCES subtenants (id) ON DELETE CASCADE
);
CREATE TABLE tenant_resources (
	id CHAR(32) NOT NULL, 
	tenant_id CHAR(32) NOT NULL, 
	repository_id CHAR(32) NOT NULL, 
	position INTEGER NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	quota_mb BIGINT NOT NULL, used_bytes BIGINT, measured_at DATETIME, measuring_warning TEXT DEFAULT '' NOT NULL, measure_after DATETIME, 
	CONSTRAINT pk_tenant_resources PRIMARY KEY (id), 
	CONSTRAINT fk_tenant_resources_repository_id_repositories FOREIGN KEY(repository_id) REFERENCES repositories (id), 
	CONSTRAINT fk_tenant_resources_tenant_id_cloud_tenants FOREIGN KEY(tenant_id) REFERENCES cloud_tenants (id) ON DELETE CASCADE
);
CREATE TABLE tenant_sessions (
	id CHAR(32) NOT NULL, 
	tenant_id CHAR(32) NOT NULL, 
	subtenant_id CHAR(32), 
	password_mark VARCHAR(64) NOT NULL, 
	version VARCHAR(16) NOT NULL, 
	created_at DATETIME NOT NULL, 
	used_at DATETIME NOT NULL, 
	CONSTRAINT pk_tenant_sessions PRIMARY KEY (id), 
	CONSTRAINT fk_tenant_sessions_tenant_id_cloud_tenants FOREIGN KEY(tenant_id) REFERENCES cloud_tenants (id) ON DELETE CASCADE, 
	CONSTRAINT fk_tenant_sessions_subtenant_id_subtenants FOREIGN KEY(subtenant_id) REFERENCES subtenants (id) ON DELETE CASCADE
);
CREATE TABLE usage (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at DATETIME NOT NULL, 
	minutes INTEGER NOT NULL, 
	tenant_id CHAR(32) NOT NULL, 
	subtenant_id CHAR(32), 
	managed_server_id CHAR(32) NOT NULL, 
	gateway_name VARCHAR(255) NOT NULL, 
	target VARCHAR(261) NOT NULL, 
	tunnels BIGINT NOT NULL, 
	bytes_up BIGINT NOT NULL, 
	bytes_down BIGINT NOT NULL
);
CREATE TABLE usage_totals (
	tenant_id CHAR(32) NOT NULL, 
	tunnels BIGINT NOT NULL, 
	bytes_up BIGINT NOT NULL, 
	bytes_down BIGINT NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_usage_totals PRIMARY KEY (tenant_id)
);
CREATE INDEX ix_removed_tenants_feed ON removed_tenants (backup_server_id, directory_revision);
CREATE INDEX ix_repositories_backup_server_id ON repositories (backup_server_id);
CREATE UNIQUE INDEX ix_tenant_resources_once ON tenant_resources (tenant_id, repository_id);
CREATE INDEX ix_tenant_resources_repository_id ON tenant_resources (repository_id);
CREATE INDEX ix_audit_events_account ON audit_events (account);
CREATE INDEX ix_audit_events_at ON audit_events (at);
CREATE INDEX ix_audit_events_object_id ON audit_events (object_id);
CREATE INDEX ix_credentials_backup_server_id ON credentials (backup_server_id);
CREATE UNIQUE INDEX ix_gateway_pools_name ON gateway_pools (backup_server_id, name);
CREATE INDEX ix_password_keys_backup_server_id ON password_keys (backup_server_id);
CREATE INDEX ix_pool_tenants_tenant_id ON pool_tenants (tenant_id);
CREATE UNIQUE INDEX ix_subtenants_login ON subtenants (tenant_id, login);
CREATE INDEX ix_subtenants_resource_id ON subtenants (resource_id);
CREATE INDEX ix_cloud_gateways_backup_server_id ON cloud_gateways (backup_server_id);
CREATE INDEX ix_cloud_gateways_pool_id ON cloud_gateways (pool_id);
CREATE INDEX ix_logon_sessions_used_at ON logon_sessions (used_at);
CREATE INDEX ix_logon_sessions_tenant_id ON logon_sessions (tenant_id);
CREATE INDEX ix_usage_tenant ON usage (tenant_id, at);
CREATE INDEX ix_usage_stretch ON usage (minutes, at);
CREATE INDEX ix_usage_at ON usage (at);
CREATE INDEX ix_pool_stays_pool_id ON pool_stays (pool_id);
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'The audit log only grows'); END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events WHEN NOT (OLD.number <= (SELECT anchor_number FROM audit_chain)) BEGIN SELECT RAISE(ABORT, 'The audit log only grows'); END;
CREATE INDEX ix_managed_servers_backup_server_id ON managed_servers (backup_server_id);
CREATE INDEX ix_tasks_account_id ON tasks (account_id);
CREATE INDEX ix_tasks_open ON tasks (finished_at, deadline_at);
CREATE INDEX ix_tasks_gateway_id ON tasks (gateway_id);
CREATE INDEX ix_notification_deliveries_due ON notification_deliveries (finished_at, due_at);
CREATE INDEX ix_notification_deliveries_receiver_id ON notification_deliveries (receiver_id);
CREATE INDEX ix_tenant_sessions_tenant_id ON tenant_sessions (tenant_id);
CREATE INDEX ix_tenant_sessions_subtenant_id ON tenant_sessions (subtenant_id);
CREATE INDEX ix_tenant_sessions_used_at ON tenant_sessions (used_at);
CREATE INDEX ix_tenant_certificates_tenant ON tenant_certificates (tenant_id, ends_at);
CREATE INDEX ix_tenant_certificates_end ON tenant_certificates (ends_at);
CREATE UNIQUE INDEX ix_cloud_tenants_login ON cloud_tenants (backup_server_id, login);
CREATE INDEX ix_cloud_tenants_order ON cloud_tenants (login, id);
CREATE INDEX ix_cloud_tenants_feed ON cloud_tenants (backup_server_id, directory_revision);
CREATE INDEX ix_spent_challenges_ends_at ON spent_challenges (ends_at);
CREATE INDEX ix_passkeys_account_id ON passkeys (account_id);
CREATE INDEX ix_held_back_times_tenant ON held_back_times (tenant_id, at);
CREATE INDEX ix_held_back_times_stretch ON held_back_times (minutes, at);
CREATE INDEX ix_counted_batches_heard_at ON counted_batches (heard_at);
DELETE FROM "sqlite_sequence";
