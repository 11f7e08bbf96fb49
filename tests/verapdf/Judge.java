import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.logging.LogManager;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;

/** Prints "FILE TAB FLAVOUR TAB CHECKS" for each file of a folder, and a line that starts with a tab for each failure. */
public class Judge {
    public static void main(String[] arguments) throws Exception {
        LogManager.getLogManager().reset();
        VeraGreenfieldFoundryProvider.initialise();
        var foundry = Foundries.defaultInstance();
        for (var file : Files.list(Path.of(arguments[0])).sorted().toList()) {
            for (var flavour : List.of(PDFAFlavour.PDFA_2_A, PDFAFlavour.PDFUA_1)) {
                try (var input = Files.newInputStream(file);
                        var parser = foundry.createParser(input, flavour);
                        var validator = foundry.createValidator(flavour, false)) {
                    var result = validator.validate(parser);
                    System.out.println(file.getFileName() + "\t" + flavour.getId() + "\t" + result.getTotalAssertions());
                    for (var found : result.getTestAssertions()) {
                        if (found.getStatus() == TestAssertion.Status.FAILED) {
                            var rule = found.getRuleId().getClause() + "-" + found.getRuleId().getTestNumber();
                            System.out.println("\t" + rule + " " + found.getMessage().replaceAll("\\s+", " "));
                        }
                    }
                }
            }
        }
    }
}
