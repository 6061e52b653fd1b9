// One Ignite node on loopback: LocalIgnite THIN_PORT REDIS_PORT DISCOVERY_PORT COMMUNICATION_PORT FOLDER CONTENT [KEYSTORE PASSWORD]. Each line of the file CONTENT
// is KIND, key and values in base64, separated by tabs: s (String), m (Map: names and values in turn), c (Set), i (Integer).
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import org.apache.ignite.*;
import org.apache.ignite.cluster.ClusterState;
import org.apache.ignite.configuration.*;
import org.apache.ignite.spi.communication.tcp.TcpCommunicationSpi;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;
import org.apache.ignite.spi.discovery.tcp.ipfinder.vm.TcpDiscoveryVmIpFinder;
import org.apache.ignite.ssl.SslContextFactory;

public class LocalIgnite {
    public static void main(String[] words) throws Exception {
        TcpDiscoveryVmIpFinder finder = new TcpDiscoveryVmIpFinder().setAddresses(List.of("127.0.0.1:" + words[2]));
        DataRegionConfiguration region = new DataRegionConfiguration().setName("default").setPersistenceEnabled(true)
            .setInitialSize(32L << 20).setMaxSize(128L << 20);
        ClientConnectorConfiguration thin = new ClientConnectorConfiguration().setPort(Integer.parseInt(words[0])).setPortRange(0);
        if (words.length > 6) {
            // Without a trust store it asks clients for no certificate.
            SslContextFactory ssl = new SslContextFactory();
            ssl.setKeyStoreFilePath(words[6]);
            ssl.setKeyStoreType("PKCS12");
            ssl.setKeyStorePassword(words[7].toCharArray());
            ssl.setTrustManagers(SslContextFactory.getDisabledTrustManager());
            thin.setSslEnabled(true).setUseIgniteSslContextFactory(false).setSslContextFactory(ssl);
        }
        IgniteConfiguration configuration = new IgniteConfiguration().setLocalHost("127.0.0.1").setWorkDirectory(words[4])
            .setDiscoverySpi(new TcpDiscoverySpi().setLocalPort(Integer.parseInt(words[2])).setLocalPortRange(0).setIpFinder(finder))
            .setCommunicationSpi(new TcpCommunicationSpi().setLocalPort(Integer.parseInt(words[3])).setLocalPortRange(0))
            .setClientConnectorConfiguration(thin)
            .setConnectorConfiguration(new ConnectorConfiguration().setPort(Integer.parseInt(words[1])).setPortRange(0))
            // Users need persistence; the first one is ignite with the password ignite.
            .setAuthenticationEnabled(true)
            .setDataStorageConfiguration(new DataStorageConfiguration().setWalMode(WALMode.NONE)
                .setDefaultDataRegionConfiguration(region));
        Ignite ignite = Ignition.start(configuration);
        ignite.cluster().state(ClusterState.ACTIVE);
        IgniteCache<String, Object> cache = ignite.getOrCreateCache("profiles");
        for (String line : Files.readAllLines(Path.of(words[5]))) {
            String[] parts = line.split("\t", -1);
            List<String> texts = new ArrayList<>();
            for (int i = 1; i < parts.length; i++)
                texts.add(new String(Base64.getDecoder().decode(parts[i]), StandardCharsets.UTF_8));
            List<String> values = texts.subList(1, texts.size());
            Map<String, String> map = new HashMap<>();
            if (parts[0].equals("m")) for (int i = 0; i < values.size(); i += 2) map.put(values.get(i), values.get(i + 1));
            cache.put(texts.get(0), switch (parts[0]) {
                case "m" -> map;
                case "c" -> new HashSet<>(values);
                case "i" -> (Object) Integer.valueOf(values.get(0));
                default -> values.get(0);
            });
        }
        // Values of further types, each under its type's name: whoever reads this cache may meet them.
        for (Object value : new Object[] {
            new java.math.BigDecimal("1.50"), java.util.concurrent.TimeUnit.DAYS, java.time.LocalDate.of(2026, 1, 31),
            new String[] {"a", null}, new java.util.UUID[] {new java.util.UUID(1, 2), null},
            new java.math.BigDecimal[] {new java.math.BigDecimal("-7")},
            new java.sql.Timestamp[] {new java.sql.Timestamp(0)}, new Object[] {1, "b", new java.util.Date(0)},
        }) cache.put(value.getClass().getSimpleName(), value);
        System.out.println("LocalIgnite is ready");
    }
}
