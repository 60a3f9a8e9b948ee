/*
 * Environment variables of the original Pier One that this one doesn't honour.
 */

/** Variables of the original that do nothing here, with the reason. */
export const NOT_HONOURED: Readonly<Record<string, string>> = {
  HTTP_API_DEFINITION_SUFFIX: 'there is one API definition',
  HTTP_MAGNIFICENT_URL: 'teams come from the team service, Kio, a file or claims',
  HTTP_MAGNIFICENT_POLICY: 'it belongs to HTTP_MAGNIFICENT_URL',
  DB_CLASSNAME: 'there is no JDBC driver here',
  DB_SUBPROTOCOL: 'there is no JDBC driver here',
  DB_INIT_SQL: 'time-outs and the schema are set by Pier One itself',
  DB_PARTITIONS: 'there is one pool: see DB_MAX_POOL',
  DB_MIN_POOL: 'connections are opened when needed: see DB_MAX_POOL',
  PGSSLMODE: 'put sslmode into DATABASE_URL',
  API_CALLBACK_URL: 'there is no Clair integration',
  API_CLAIR_URL: 'there is no Clair integration',
  API_CLAIR_LAYER_PUSH_QUEUE_REGION: 'there is no Clair integration',
  API_CLAIR_LAYER_PUSH_QUEUE_URL: 'there is no Clair integration',
  API_CLAIR_CHECK_RESULT_QUEUE_REGION: 'there is no Clair integration',
  API_CLAIR_CHECK_RESULT_QUEUE_URL: 'there is no Clair integration',
  API_CLAIR_RECEIVER_THREAD_COUNT: 'there is no Clair integration',
  AUDIT_LOG_BUCKET:
    'the S3 audit log was deprecated by the original; tag events are kept in PostgreSQL',
  AUDIT_LOG_FLUSH_MILLIS:
    'the S3 audit log was deprecated by the original; tag events are kept in PostgreSQL',
  SYSTEM_STUPS_LOG_LEVEL: 'there is one log level: see SYSTEM_LOG_LEVEL',
  NREPL_ENABLED: 'there is no Clojure here',
  NREPL_PORT: 'there is no Clojure here',
  NREPL_BIND: 'there is no Clojure here',
  JAVA_OPTS: 'there is no JVM here; see NODE_OPTIONS',
};
