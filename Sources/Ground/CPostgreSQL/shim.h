#ifndef BIHUAN_CPOSTGRESQL_SHIM_H
#define BIHUAN_CPOSTGRESQL_SHIM_H
#include <libpq-fe.h>

/* The PG_DIAG_ macros are character literals, which Swift does not import. */
static const int diagnosticSQLState = PG_DIAG_SQLSTATE;
static const int diagnosticSeverity = PG_DIAG_SEVERITY_NONLOCALIZED;
static const int diagnosticMessage = PG_DIAG_MESSAGE_PRIMARY;
static const int diagnosticDetail = PG_DIAG_MESSAGE_DETAIL;
static const int diagnosticHint = PG_DIAG_MESSAGE_HINT;
static const int diagnosticTableName = PG_DIAG_TABLE_NAME;
static const int diagnosticColumnName = PG_DIAG_COLUMN_NAME;
static const int diagnosticConstraintName = PG_DIAG_CONSTRAINT_NAME;

#endif
