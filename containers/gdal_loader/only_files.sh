# GDAL's drivers ask servers, or open what a file tells them to. Here it has only those whose formats
# are files; where that can't be made sure of, nothing is read. (-if of ogrinfo and ogr2ogr came with
# GDAL 3.7, and says nothing of what a driver opens in its turn.)
formats='GPKG|GeoJSON|GeoJSONSeq|ESRI Shapefile|CSV|FlatGeobuf|KML|GPX|GML|MapInfo File|OpenFileGDB'

drivers() { # their names, out of lines like "  GPKG -raster,vector- (rw+vs): GeoPackage"
  listed=$(ogrinfo --formats) || return 1
  printf '%s\n' "$listed" | sed -n '2,$s/^  \(.*\) -[a-z, ]*- ([a-z+]*):.*/\1/; 2,$p'
}
others() { # those of them that are not wanted: the lines of $1, with commas
  found=$(printf '%s\n' "$1" | grep -vxE "$formats|PGDUMP") || [ $? = 1 ] || return 1
  printf '%s\n' "$found" | paste -sd, -
}
all=$(drivers) && GDAL_SKIP=$(others "$all") && export GDAL_SKIP && left=$(drivers) &&
  on=$(others "$left") && [ -n "$left" ] && [ -z "$on" ] ||
  kind=config fatal "GDAL's other formats could not be turned off: ${on:-it does not list them}"

# What these drivers would fetch by a link in a file, and entities of XML, which Xerces resolves.
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY
export GDAL_HTTP_PROXY=127.0.0.1:9 CPL_VSIL_CURL_ALLOWED_EXTENSIONS=.none
export GML_DOWNLOAD_SCHEMA=NO GML_SKIP_RESOLVE_ELEMS=ALL GML_PARSER=EXPAT
