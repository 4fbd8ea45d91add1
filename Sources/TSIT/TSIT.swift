// TSIT
