// Runs the cases it is given through PostgreSQL's JDBC driver; see cases.py for the steps. Standard input has the
// connection's words, then one step a line, tab-separated with \t \n \\ escaped; test_drivers.py writes and reads that.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.*;

public class JdbcDriver {
    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    static String quoted(Object value) {
        if (value == null)
            return "null";
        StringBuilder b = new StringBuilder("\"");
        for (char c : value.toString().toCharArray()) {
            if (c == '"' || c == '\\')
                b.append('\\').append(c);
            else if (c < ' ')
                b.append(String.format("\\u%04x", (int) c));
            else
                b.append(c);
        }
        return b.append('"').toString();
    }

    static String shown(Object v) throws SQLException {
        if (v instanceof byte[]) {
            StringBuilder b = new StringBuilder("bytes:");
            for (byte x : (byte[]) v)
                b.append(String.format("%02x", x));
            return quoted(b);
        }
        if (v instanceof java.sql.Array)
            return quoted("Array:" + Arrays.toString((Object[]) ((java.sql.Array) v).getArray()));
        return v == null ? "null" : quoted(v.getClass().getSimpleName() + ":" + v);
    }

    static String rows(ResultSet r) throws SQLException {
        List<String> rows = new ArrayList<>();
        while (r.next()) {
            List<String> row = new ArrayList<>();
            for (int i = 1; i <= r.getMetaData().getColumnCount(); i++)
                row.add(shown(r.getObject(i)));
            rows.add("[" + String.join(", ", row) + "]");
        }
        return "{\"rows\": [" + String.join(", ", rows) + "]}";
    }

    static String run(PreparedStatement s, String[] values) throws SQLException {
        for (int i = 0; i < values.length; i++)
            if (values[i].startsWith("i:"))
                s.setInt(i + 1, Integer.parseInt(values[i].substring(2)));
            else
                s.setString(i + 1, values[i].substring(2));
        return s.execute() ? rows(s.getResultSet()) : "{\"count\": " + s.getUpdateCount() + "}";
    }

    static String query(Connection c, String sql, String[] values) throws SQLException {
        try (PreparedStatement s = c.prepareStatement(sql.replaceAll("\\$\\d", "?"))) {
            return run(s, values);
        }
    }

    static String repeat(Connection c, String sql, String[] values) throws SQLException {
        List<String> found = new ArrayList<>();
        try (PreparedStatement s = c.prepareStatement(sql.replaceAll("\\$\\d", "?"))) {
            for (String value : values)
                found.add(run(s, new String[] { value }));
        }
        return "[" + String.join(", ", found) + "]";
    }

    static String fetch(Connection c, String sql, int size) throws SQLException {
        long count = 0, sum = 0;
        c.setAutoCommit(false);
        try (Statement s = c.createStatement()) {
            s.setFetchSize(size);
            for (ResultSet r = s.executeQuery(sql); r.next(); count++)
                sum += r.getLong(1);
        }
        c.commit();
        c.setAutoCommit(true);
        return "[" + count + ", " + sum + "]";
    }

    static String cancel(Connection c, String sql, double after) throws SQLException {
        try (Statement s = c.createStatement()) {
            Timer timer = new Timer(true);
            timer.schedule(new TimerTask() {
                public void run() {
                    try {
                        s.cancel();
                    } catch (SQLException e) {
                    }
                }
            }, (long) (after * 1000));
            try {
                return s.execute(sql) ? rows(s.getResultSet()) : "{\"count\": " + s.getUpdateCount() + "}";
            } finally {
                timer.cancel();
            }
        }
    }

    static String timeout(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement()) {
            s.setQueryTimeout(2);
            return s.execute(sql) ? rows(s.getResultSet()) : "{\"count\": " + s.getUpdateCount() + "}";
        }
    }

    static String metadata(Connection c, String table) throws SQLException {
        DatabaseMetaData m = c.getMetaData();
        return "[" + String.join(", ", rows(m.getTables(null, "public", "%", new String[] { "TABLE", "VIEW" })),
            rows(m.getColumns(null, "public", table, "%")), rows(m.getPrimaryKeys(null, "public", table)),
            rows(m.getImportedKeys(null, "public", "encounter")), rows(m.getIndexInfo(null, "public", table, false, false)),
            rows(m.getSchemas()), rows(m.getTypeInfo())) + "]";
    }

    static final Map<String, Savepoint> POINTS = new HashMap<>();

    static String step(Connection c, String[] w) throws SQLException {
        String[] values = w.length > 2 ? Arrays.copyOfRange(w, 2, w.length) : new String[0];
        switch (w[0]) {
        case "query": return query(c, w[1], values);
        case "repeat": return repeat(c, w[1], values);
        case "begin": c.setAutoCommit(false); return "{}";
        case "commit":
            try {
                c.commit();
            } finally {
                c.setAutoCommit(true);
            }
            return "{}";
        case "savepoint": POINTS.put(w[1], c.setSavepoint(w[1])); return "{}";
        case "rollback_to": c.rollback(POINTS.get(w[1])); return "{}";
        case "fetch": return fetch(c, w[1], Integer.parseInt(w[2].substring(2)));
        case "cancel": return cancel(c, w[1], Double.parseDouble(w[2].substring(2)));
        case "timeout": return timeout(c, w[1]);
        case "reset": query(c, "DISCARD ALL", new String[0]); return "{}";
        case "metadata": return metadata(c, w[1]);
        default: return "{}";
        }
    }

    static String unescaped(String s) {
        return s.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\");
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Connection c = null;
        for (String line; (line = in.readLine()) != null;) {
            String[] w = line.split("\t", -1);
            for (int i = 0; i < w.length; i++)
                w[i] = unescaped(w[i]);
            try {
                if (w[0].equals("open")) {
                    Connection before = c;
                    c = null;
                    if (before != null)
                        before.close();
                    c = DriverManager.getConnection(w[1], w[2], w[3]);
                    OUT.println("{}");
                } else if (c == null) {
                    OUT.println("{\"error\": \"not connected\"}");
                } else {
                    OUT.println(step(c, w));
                }
            } catch (SQLException e) {
                OUT.println("{\"error\": " + quoted(e.getMessage()) + ", \"type\": \"" + e.getSQLState() + "\"}");
            }
        }
    }
}
