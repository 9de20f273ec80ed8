// Packs the working directory with java.util.zip: `java Pack.java > ARCHIVE`. Links are left out: it has none.

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

class Pack {
    public static void main(String[] arguments) throws IOException {
        Path root = Path.of(".").toRealPath();
        List<Path> paths;
        try (var all = Files.walk(root)) {
            paths = all.filter(path -> !path.equals(root) && !Files.isSymbolicLink(path)).sorted().toList();
        }
        try (var archive = new ZipOutputStream(System.out)) {
            for (Path path : paths) {
                boolean directory = Files.isDirectory(path);
                var entry = new ZipEntry(root.relativize(path) + (directory ? "/" : ""));
                entry.setLastModifiedTime(Files.getLastModifiedTime(path));
                archive.putNextEntry(entry);
                if (!directory) {
                    Files.copy(path, archive);
                }
                archive.closeEntry();
            }
        }
    }
}
