import java.math.BigDecimal;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;

/**
 * pgjdbc on the PostgreSQL door, as Metabase, DBeaver and Tableau use it. Takes host and port; says
 * what it read, one line each: a name, a tab, values. What they should be is for the caller to know.
 */
public final class Client {
    private static final String ENDLESS =
        "SELECT count(*) FROM generate_series(1, 1000000) AS a(x) CROSS JOIN"
            + " generate_series(1, 1000000) AS b(y) WHERE (x * y) % 1000003 = -1";

    public static void main(String[] args) throws SQLException {
        String url = "jdbc:postgresql://" + args[0] + ":" + args[1] + "/spanledger?user=spanledger";
        try (Connection connection = DriverManager.getConnection(url)) {
            prepared(connection);
            arrays(connection);
            metadata(connection.getMetaData());
            parts(connection);
            failures(connection);
        }
    }

    private static void say(String name, Object... values) {
        List<String> texts = new ArrayList<>();
        for (Object value : values) {
            texts.add(String.valueOf(value));
        }
        System.out.println(name + "\t" + String.join("|", texts));
    }

    /** From the fifth run on the driver prepares on the server and reads binary. */
    private static void prepared(Connection connection) throws SQLException {
        String query = "SELECT span_id, input_tokens, cost, started_at, duration_ms, region FROM calls"
            + " WHERE service_name = ? AND input_tokens >= ? AND cost < ? AND started_at > ?"
            + " ORDER BY started_at";
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            statement.setString(1, "traffic");
            statement.setLong(2, 1000);
            statement.setBigDecimal(3, new BigDecimal("100000000000.5"));
            statement.setObject(4, OffsetDateTime.parse("2026-11-01T00:00:00Z"));
            for (int run = 1; run <= 8; run++) {
                try (ResultSet rows = statement.executeQuery()) {
                    while (rows.next()) {
                        if (run == 1 || run == 8) {
                            say("row " + run, rows.getString(1), rows.getLong(2),
                                rows.getBigDecimal(3).toPlainString(),
                                rows.getObject(4, OffsetDateTime.class).toInstant(),
                                rows.getDouble(5), rows.getString(6));
                        }
                    }
                }
            }
        }
    }

    private static void arrays(Connection connection) throws SQLException {
        String query = "SELECT count(*) FROM calls WHERE service_name = 'traffic'"
            + " AND input_tokens = ANY(?) AND request_model = ANY(?)";
        try (PreparedStatement statement = connection.prepareStatement(query)) {
            Array tokens = connection.createArrayOf("bigint", new Long[] {1000L, 3000L, 7L});
            statement.setArray(1, tokens);
            statement.setArray(2, connection.createArrayOf("text", new String[] {"gpt-4o", "x"}));
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                say("any", rows.getLong(1));
            }
        }
        try (Statement statement = connection.createStatement();
            ResultSet rows = statement.executeQuery(
                "SELECT array_agg(input_tokens ORDER BY input_tokens) FROM calls"
                    + " WHERE service_name = 'traffic'")) {
            rows.next();
            say("array", (Object[]) (Long[]) rows.getArray(1).getArray());
        }
    }

    private static void metadata(DatabaseMetaData metadata) throws SQLException {
        say("product", metadata.getDatabaseProductName(), metadata.getDatabaseProductVersion());
        try (ResultSet rows = metadata.getTables(null, "public", "%", new String[] {"TABLE"})) {
            while (rows.next()) {
                say("table", rows.getString("TABLE_NAME"), rows.getString("REMARKS"));
            }
        }
        try (ResultSet rows = metadata.getColumns(null, "public", "calls", "%")) {
            while (rows.next()) {
                say("column", rows.getString("COLUMN_NAME"), rows.getString("TYPE_NAME"),
                    rows.getInt("COLUMN_SIZE"), rows.getInt("DECIMAL_DIGITS"),
                    rows.getString("REMARKS"));
            }
        }
        count("schemas", metadata.getSchemas());
        count("catalogs", metadata.getCatalogs());
        count("types", metadata.getTypeInfo());
        count("primary keys", metadata.getPrimaryKeys(null, "public", "calls"));
        count("imported keys", metadata.getImportedKeys(null, "public", "calls"));
        count("exported keys", metadata.getExportedKeys(null, "public", "calls"));
        count("indexes", metadata.getIndexInfo(null, "public", "calls", false, false));
        count("functions", metadata.getFunctions(null, "public", "%"));
        count("privileges", metadata.getTablePrivileges(null, "public", "calls"));
    }

    private static void count(String name, ResultSet rows) throws SQLException {
        int count = 0;
        while (rows.next()) {
            count++;
        }
        rows.close();
        say(name, count);
    }

    /** Portals: without autocommit the driver asks for so many rows at a time. */
    private static void parts(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(1000);
            long count = 0;
            long sum = 0;
            String query = "SELECT value FROM generate_series(1, 50500) ORDER BY value";
            try (ResultSet rows = statement.executeQuery(query)) {
                while (rows.next()) {
                    count++;
                    sum += rows.getLong(1);
                }
            }
            say("parts", count, sum);
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    private static void failures(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            long started = System.nanoTime();
            say("stopped", state(statement, ENDLESS), (System.nanoTime() - started) / 1e9 < 10);
            statement.setQueryTimeout(0);
            for (String text : new String[] {
                "DELETE FROM calls", "CREATE TABLE t (a INT)", "SELECT * FROM nothing",
                "SELECT nothing FROM calls", "SELECT 1/0"
            }) {
                say("refused", text, state(statement, text));
            }
            try (ResultSet rows = statement.executeQuery("SELECT count(*) FROM calls"
                + " WHERE service_name = 'traffic'")) {
                rows.next();
                say("lives on", rows.getLong(1));
            }
        }
    }

    private static String state(Statement statement, String text) {
        try {
            statement.execute(text);
            return "done";
        } catch (SQLException error) {
            return error.getSQLState();
        }
    }
}
