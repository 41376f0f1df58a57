void import("../viewer/index").then((viewer) => viewer.start());
