"""What a study answers, as typed values: the study builds them, report and command line read them."""
